// The API as the pages use it.

export type Party = { asset?: string; name?: string; mac?: string; ip?: string; port?: number; user?: string };
export type Finding = {
  id: string;
  rev: number;
  ts: string;
  ts_end: string;
  raised: string;
  detector: string;
  title: string;
  severity: Severity;
  basis: string;
  attack: string[];
  src: Party;
  dst: Party;
  proto: string;
  uids: string[];
  community_id?: string;
  packets: { file: string; frame: number }[];
  why: string;
  evidence: Record<string, unknown> & {
    observed?: string;
    expected?: string;
    seen?: number;
    threshold?: number;
    in_packet?: { field: string; of?: unknown; observed: unknown; expected: unknown[]; range?: (number | null)[] };
  };
  dedup_key: string;
  count: number;
  episodes: { ts: string; ts_end: string; count: number }[];
};
export type Severity = 'info' | 'low' | 'medium' | 'high' | 'critical';
export type Stored = {
  id: string;
  seq: number;
  detected: number;
  status: 'open' | 'acknowledged' | 'closed';
  verdict?: string;
  reason?: string;
  assignee?: string;
  ended: boolean;
  grew_since_closed: boolean;
  source: string;
  suppressed_by?: string;
  finding: Finding;
};
export type Rows = { columns: { name: string; type: string }[]; rows: Record<string, unknown>[]; cut: boolean };
export type Role = 'viewer' | 'analyst' | 'approver' | 'admin';
export type Device = {
  id: string;
  name: string;
  role: string;
  source: string;
  owner?: string;
  criticality?: string;
  notes?: string;
  device: Record<string, any>;
};

/** A refusal by the console, in its words. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    text: string,
  ) {
    super(text);
  }
}

async function answer(response: Response): Promise<any> {
  if (response.ok) return response.json();
  let text = `the console answered ${response.status}`;
  try {
    text = (await response.json()).error ?? text;
  } catch {
    // no JSON: the number is all there is
  }
  if (response.status === 401) window.dispatchEvent(new Event('logged-out'));
  throw new Refusal(response.status, text);
}

async function reach(path: string, init?: RequestInit): Promise<any> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, init);
  } catch {
    throw new Refusal(0, 'the console does not answer');
  }
  return answer(response);
}

export function get<T = any>(path: string, query: Record<string, string | number | boolean | undefined> = {}): Promise<T> {
  const asked = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined && value !== '') asked.set(key, String(value));
  const text = asked.toString();
  return reach(path + (text ? `?${text}` : ''));
}

export function send<T = any>(method: string, path: string, body?: unknown): Promise<T> {
  return reach(path, {
    method,
    headers: { 'x-gridwarden': '1', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

/** Uploads a capture. */
export function upload(file: File): Promise<any> {
  return reach(`/imports?name=${encodeURIComponent(file.name)}`, {
    method: 'POST',
    headers: { 'x-gridwarden': '1', 'content-type': 'application/octet-stream' },
    body: file,
  });
}

/** A search's result as a file to keep. */
export async function download(sql: string, format: string): Promise<void> {
  const response = await fetch('/api/v1/hunt', {
    method: 'POST',
    headers: { 'x-gridwarden': '1', 'content-type': 'application/json' },
    body: JSON.stringify({ sql, format }),
  });
  if (!response.ok) await answer(response);
  save(await response.blob(), `gridwarden-search.${format}`);
}

/** Hands a blob to the browser to keep. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A cell of CSV; text is never a formula. */
function cell(value: unknown): string {
  let text = value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
  if (typeof value !== 'number' && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Rows as a CSV file to keep. */
export function saveCsv(columns: string[], rows: unknown[][], name: string): void {
  const lines = [columns, ...rows].map((r) => r.map(cell).join(',')).join('\r\n');
  save(new Blob([lines + '\r\n'], { type: 'text/csv' }), `${name}.csv`);
}
