// How things are said: times, sizes, parties, severities.
import type { Finding, Party, Severity } from './api';

export const SEVERITIES: Severity[] = ['critical', 'high', 'medium', 'low', 'info'];

/** A party as a person names it. */
export function who(p: Party | undefined): string {
  if (!p) return '–';
  return p.name ?? p.ip ?? p.mac ?? p.asset ?? '–';
}

/** Its address, where the name was shown. */
export function where(p: Party | undefined): string {
  if (!p) return '';
  if (!p.ip) return p.mac ?? '';
  return p.port ? (p.ip.includes(':') ? `[${p.ip}]:${p.port}` : `${p.ip}:${p.port}`) : p.ip;
}

/** A name as it is shown: a device without one bears the number that the inventory gave it, which tells nobody anything. */
export function named(name: unknown): string {
  const text = String(name ?? '');
  return /^d[0-9a-f]{12}$/.test(text) ? '' : text;
}

/** A feed's name: the interfaces of a replayed capture have numbers. */
export function feed(name: string): string {
  return /^\d+$/.test(name) ? `replay, interface ${name}` : name;
}

export const zone = { utc: localStorage.getItem('zone') !== 'site' };

function moment(at: string | number | undefined | null): Date | null {
  if (at === undefined || at === null || at === '') return null;
  const date = typeof at === 'number' ? new Date(at > 1e15 ? at / 1e6 : at) : new Date(at);
  return Number.isNaN(date.getTime()) ? null : date;
}
const pad = (n: number) => String(n).padStart(2, '0');
/** What a time's zone is called: UTC, or the offset of this machine's. */
function zoned(date: Date, utc: boolean): string {
  if (utc) return 'UTC';
  const east = -date.getTimezoneOffset();
  return `UTC${east < 0 ? '−' : '+'}${pad(Math.floor(Math.abs(east) / 60))}:${pad(Math.abs(east) % 60)}`;
}
function parts(date: Date, utc: boolean): [string, string, string] {
  const [y, mo, d, h, mi, s] = utc
    ? [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
    : [date.getFullYear(), date.getMonth(), date.getDate(), date.getHours(), date.getMinutes(), date.getSeconds()];
  return [`${y}-${pad(mo + 1)}-${pad(d)}`, `${pad(h)}:${pad(mi)}`, pad(s)];
}

/** A moment in the chosen time, with its zone. */
export function time(at: string | number | undefined | null, seconds = true): string {
  const date = moment(at);
  if (!date) return at ? String(at) : '–';
  const [day, minute, s] = parts(date, zone.utc);
  return `${day} ${minute}${seconds ? `:${s}` : ''} ${zoned(date, zone.utc)}`;
}

/** The same moment in the other time. */
export function other(at: string | number | undefined | null): string {
  const date = moment(at);
  if (!date) return '';
  const [day, minute, s] = parts(date, !zone.utc);
  return `${day} ${minute}:${s} ${zoned(date, !zone.utc)}`;
}

/** A moment without year and seconds. */
export function short(at: string | number | undefined | null): string {
  const date = moment(at);
  if (!date) return at ? String(at) : '–';
  const [day, minute] = parts(date, zone.utc);
  return `${day.slice(5)} ${minute} ${zoned(date, zone.utc)}`;
}

/** How long something lasted, in its two largest units. */
export function lasted(from: string | number | null | undefined, to: string | number | null | undefined): string {
  const [a, b] = [moment(from), moment(to)];
  if (!a || !b) return '–';
  let left = Math.max(0, Math.round((b.getTime() - a.getTime()) / 1000));
  const said: string[] = [];
  for (const [unit, length] of [['d', 86_400], ['h', 3600], ['min', 60], ['s', 1]] as const) {
    const n = Math.floor(left / length);
    left -= n * length;
    if (n > 0) said.push(`${n} ${unit}`);
    if (said.length === 2) break;
  }
  return said.join(' ') || '0 s';
}

export function ago(seconds: number): string {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} days ago`;
}

export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let n = bytes;
  let u = 0;
  while (n >= 1000 && u < 4) {
    n /= 1000;
    u += 1;
  }
  return `${u === 0 ? n : n.toFixed(1)} ${units[u]}`;
}

export function count(n: number): string {
  return n.toLocaleString('en-US');
}

/** A number of things, in the right number. */
export function things(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** A value in a cell. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'object') return JSON.stringify(value);
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Math.round(value * 1e6) / 1e6);
  return String(value);
}

/** The devices of a finding in one line. */
export function line(f: Finding): string {
  return `${who(f.src)} → ${who(f.dst)}`;
}
