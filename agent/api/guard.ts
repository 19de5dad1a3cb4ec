/**
 * Who may ask over TCP. A web page from anywhere can make a browser on this machine call a loopback
 * port; with a name it rebinds to 127.0.0.1 it could even read the answer. So a loopback listener answers
 * to loopback names only, and no foreign page may hold streams open. There is no CORS and nothing to
 * change over TCP.
 */
import { createHash } from 'node:crypto';
import { PAGE_SCRIPT } from '../../exporters/status/page-script.ts';
import { PAGE_STYLE } from '../../exporters/status/page-style.ts';

const LOOPBACK_V4 = /^127(?:\.\d{1,3}){3}$/u;

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || LOOPBACK_V4.test(host);
}

/** The name in a Host header, without port and brackets, in lower case. */
function hostName(header: string): string {
  const bracketed = /^\[([0-9a-f:.]+)\](?::\d+)?$/u.exec(header.toLowerCase());
  if (bracketed !== null) return bracketed[1] ?? '';
  return header.toLowerCase().replace(/:\d+$/u, '');
}

/** True when a request with this Host header may be answered by a listener on `listenHost`. */
export function hostAllowed(header: string | undefined, listenHost: string): boolean {
  const own = listenHost.toLowerCase();
  if (!isLoopback(own)) return true;
  if (header === undefined) return false;
  const name = hostName(header);
  return isLoopback(name) || name === own;
}

/** True for a request that another site's page made on its own (Fetch Metadata, W3C). */
export function foreignPage(site: string | undefined, mode: string | undefined): boolean {
  if (site === undefined || site === 'same-origin' || site === 'none') return false;
  return mode !== 'navigate';
}

function hashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** On every answer. The policy lets run exactly the style and script of our page, by their hashes. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    `style-src ${hashSource(PAGE_STYLE)}`,
    `script-src ${hashSource(PAGE_SCRIPT)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cache-control': 'no-store',
};
