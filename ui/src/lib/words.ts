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
  const address = p.ip ?? p.mac ?? '';
  return address && p.port ? (address.includes(':') ? `[${address}]:${p.port}` : `${address}:${p.port}`) : address;
}

export const zone = { utc: localStorage.getItem('zone') !== 'site' };

/** A moment, in UTC or the site's time. */
export function time(at: string | number | undefined | null, seconds = true): string {
  if (at === undefined || at === null || at === '') return '–';
  const date = typeof at === 'number' ? new Date(at > 1e15 ? at / 1e6 : at) : new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  const pad = (n: number) => String(n).padStart(2, '0');
  const [y, mo, d, h, mi, s] = zone.utc
    ? [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
    : [date.getFullYear(), date.getMonth(), date.getDate(), date.getHours(), date.getMinutes(), date.getSeconds()];
  return `${y}-${pad(mo + 1)}-${pad(d)} ${pad(h)}:${pad(mi)}${seconds ? `:${pad(s)}` : ''}${zone.utc ? ' UTC' : ''}`;
}

/** A moment without its day where it is today's. */
export function short(at: string | undefined): string {
  const text = time(at);
  return text.slice(5, 16);
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
