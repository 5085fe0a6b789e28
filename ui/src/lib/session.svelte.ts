// Who is logged in, which page is shown, and what the centre tells meanwhile.
import { get, type Role, type Stored } from './api';

export const session = $state<{ name: string; role: Role | ''; needsSetup: boolean; known: boolean }>({
  name: '',
  role: '',
  needsSetup: false,
  known: false,
});
const RANK: Record<string, number> = { viewer: 0, analyst: 1, approver: 2, admin: 3 };
export const may = (role: Role) => session.role !== '' && RANK[session.role]! >= RANK[role]!;

export const route = $state({ path: location.pathname, query: location.search, hash: location.hash.slice(1) });
export function go(path: string): void {
  history.pushState(null, '', path);
  route.path = location.pathname;
  route.query = location.search;
  route.hash = location.hash.slice(1);
}
/** Keeps what a page shows in its address, so that it can be sent to somebody; what is empty or usual is left out. */
export function keepInAddress(values: Record<string, string | boolean>, usual: Record<string, string | boolean>): void {
  const query = new URLSearchParams();
  for (const [k, v] of Object.entries(values)) if (v !== usual[k]) query.set(k, String(v));
  const text = query.toString();
  history.replaceState(null, '', location.pathname + (text ? `?${text}` : '') + location.hash);
  route.query = location.search;
}
/** What the address says of a page's values. */
export function fromAddress<T extends Record<string, string | boolean>>(usual: T): T {
  const query = new URLSearchParams(location.search);
  const read = Object.entries(usual).map(([k, v]) => {
    const given = query.get(k);
    return [k, given === null ? v : typeof v === 'boolean' ? given === 'true' : given];
  });
  return Object.fromEntries(read);
}

window.addEventListener('popstate', () => {
  route.path = location.pathname;
  route.query = location.search;
  route.hash = location.hash.slice(1);
});
/** Follows links of the console without a reload. */
export function follow(event: MouseEvent): void {
  const link = (event.target as Element).closest('a');
  const href = link?.getAttribute('href');
  if (link?.hasAttribute('download')) return;
  if (!href?.startsWith('/') || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  go(href);
}

export async function whoAmI(): Promise<void> {
  try {
    const me = await get('/me');
    session.name = me.name;
    session.role = me.role;
    session.needsSetup = false;
  } catch {
    session.name = '';
    session.role = '';
    try {
      session.needsSetup = (await get('/setup')).needed;
    } catch {
      session.needsSetup = false;
    }
  }
  session.known = true;
}

type Listener = {
  finding?: (f: Stored) => void;
  feed?: (m: any) => void;
  imported?: (m: any) => void;
  changedCase?: (m: any) => void;
  run?: (m: any) => void;
  destination?: (m: any) => void;
  model?: (m: any) => void;
};
const listeners = new Set<Listener>();
export const live = $state({ connected: false, last: 0 });
let source: EventSource | undefined;

export function listen(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function connect(): void {
  source?.close();
  source = new EventSource('/api/v1/events');
  source.onopen = () => (live.connected = true);
  source.onerror = () => (live.connected = false);
  const on = (event: string, key: keyof Listener) =>
    source!.addEventListener(event, (e) => {
      live.last = Date.now();
      const data = JSON.parse((e as MessageEvent).data);
      for (const l of listeners) l[key]?.(data);
    });
  on('finding', 'finding');
  on('feed', 'feed');
  on('import', 'imported');
  on('case', 'changedCase');
  on('run', 'run');
  on('destination', 'destination');
  on('model', 'model');
}

export function disconnect(): void {
  source?.close();
  source = undefined;
  live.connected = false;
}
