import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { isIPv6 } from 'node:net';

/** What came back: nothing of it is trusted. */
export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** Text of the body if it was asked for and was not longer than that. */
  readonly body: string | undefined;
}

export interface Post {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The checked address to connect to, whatever the name may lead to meanwhile. */
  readonly address: string;
  /** So many bytes of the answer are read; 0 where only its status counts. */
  readonly readBytes: number;
  readonly signal: AbortSignal;
}

/** Connections to one endpoint, kept open between requests; each leads to an address that was checked. */
export interface Poster {
  post(post: Post): Promise<Answer>;
  close(): void;
}

const pinned =
  (address: string): LookupFunction =>
  (_host, options, callback) => {
    const family = isIPv6(address) ? 6 : 4;
    if (options.all === true) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };

export function createPoster(
  tls: { ca?: string; cert?: string; key?: string },
  settings: { isTls: boolean; sockets: number },
): Poster {
  const options = { keepAlive: true, maxSockets: settings.sockets, maxFreeSockets: settings.sockets };
  const make = (): HttpAgent => (settings.isTls ? new HttpsAgent({ ...options, ...tls }) : new HttpAgent(options));
  let agent = make();
  let agentAddress = '';

  return {
    post({ url, headers, body, address, readBytes, signal }) {
      if (address !== agentAddress) {
        // A kept connection leads to the old address: no request may take it any more.
        agent.destroy();
        agent = make();
        agentAddress = address;
      }
      const request: RequestOptions = {
        method: 'POST',
        agent,
        signal,
        lookup: pinned(address),
        headers: { ...headers, 'content-length': body.length, 'accept-encoding': 'identity' },
      };
      return new Promise<Answer>((resolve, reject) => {
        const sent = (settings.isTls ? httpsRequest : httpRequest)(url, request);
        sent.on('error', reject);
        sent.on('response', (response) => {
          void readAnswer(response, readBytes).then(resolve);
        });
        sent.end(body);
      });
    },
    close: () => agent.destroy(),
  };
}

/** Most bytes of an answer nobody reads that are thrown away to keep the connection. */
const DISCARD_BYTES = 65_536;

/** The status stands once it has come: a body that never ends, breaks off or is too long does not change it. */
function readAnswer(response: IncomingMessage, readBytes: number): Promise<Answer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const most = Math.max(readBytes, DISCARD_BYTES);
  return new Promise((resolve) => {
    const end = (body?: string): void =>
      resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], body });
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > most) response.destroy();
      else if (readBytes > 0) chunks.push(chunk);
    });
    response.on('end', () => end(Buffer.concat(chunks).toString('utf8')));
    response.on('error', () => end());
    response.on('close', () => end());
    if (readBytes === 0) end();
  });
}
