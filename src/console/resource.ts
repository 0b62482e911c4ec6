import { useEffect, useRef, useState } from 'preact/hooks';
import { getJson, RequestError } from './api.ts';
import { missedSomething } from './live.ts';

export interface Resource<T> {
  /** The newest answer; stays while a newer one is fetched. */
  data: T | undefined;
  error: RequestError | undefined;
  loading: boolean;
  reload: () => void;
  /** Changes what is shown without asking the server, as live events do. */
  patch: (change: (data: T) => T) => void;
}

interface Answer<T> {
  url: string;
  data: T | undefined;
  error: RequestError | undefined;
}

/**
 * The JSON at `url`, fetched again when `url` changes or live events were missed. With `keep`, the old answer stays on screen until
 * the new one is there (paging, filters); without it another `url` starts empty.
 */
export function useResource<T>(url: string | undefined, keep = false): Resource<T> {
  const [answer, setAnswer] = useState<Answer<T> | undefined>();
  const [generation, setGeneration] = useState(0);
  const [loading, setLoading] = useState(true);
  const latest = useRef(url);
  latest.current = url;

  useEffect(() => {
    if (url === undefined) return;
    const abort = new AbortController();
    setLoading(true);
    getJson<T>(url, abort.signal).then(
      (data) => {
        setAnswer({ url, data, error: undefined });
        setLoading(false);
      },
      (error: unknown) => {
        if (abort.signal.aborted) return;
        const shown =
          error instanceof RequestError ? error : new RequestError(0, 'The console failed to read the answer.');
        setAnswer((before) => ({ url, data: before?.url === url ? before.data : undefined, error: shown }));
        setLoading(false);
      },
    );
    return () => abort.abort();
  }, [url, generation, missedSomething.value]);

  const current = answer && (keep || answer.url === url) ? answer : undefined;
  return {
    data: current?.data,
    error: current?.url === url ? current?.error : undefined,
    loading: loading || (answer !== undefined && answer.url !== url),
    reload: () => setGeneration((n) => n + 1),
    patch: (change) =>
      setAnswer((before) => (before?.data === undefined ? before : { ...before, data: change(before.data) })),
  };
}
