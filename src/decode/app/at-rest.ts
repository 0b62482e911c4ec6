/** One direction of a protocol whose messages are read byte by byte. */
interface Half {
  readonly inMessage: boolean;
}

interface Halves<H> {
  orig: H | undefined;
  resp: H | undefined;
}

/**
 * What two directions know between their messages: numbers and flags, no buffers (see Dissector.rest).
 * Undefined where one of them is inside of a message.
 */
export function restOfHalves<H extends Half>(
  { orig, resp }: Halves<H>,
  isBetween: (half: H) => boolean = (half) => !half.inMessage,
): object | undefined {
  if ((orig !== undefined && !isBetween(orig)) || (resp !== undefined && !isBetween(resp))) return undefined;
  return { orig: bareFields(orig), resp: bareFields(resp) };
}

/** The directions that `restOfHalves` told of, with buffers of their own again. */
export function resumeHalves<H extends Half>(rest: object, create: () => H): Halves<H> {
  const { orig, resp } = rest as Halves<Partial<H>>;
  return {
    orig: orig === undefined ? undefined : { ...create(), ...orig },
    resp: resp === undefined ? undefined : { ...create(), ...resp },
  };
}

function bareFields(half: object | undefined): object | undefined {
  if (half === undefined) return undefined;
  const isBare = (value: unknown): boolean => typeof value === 'number' || typeof value === 'boolean';
  return Object.fromEntries(Object.entries(half).filter(([, value]) => isBare(value)));
}
