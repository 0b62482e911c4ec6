import { Type } from 'typebox';
import type { Static } from 'typebox';

/** Configuration of the capture from a network interface. */
export const liveConfigSchema = Type.Object(
  {
    interface: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,31}$',
      description: 'Interface that receives the mirrored traffic, e.g. `eth1`.',
    }),
    filter: Type.String({
      default: '',
      pattern: '^([A-Za-z0-9(!][A-Za-z0-9 ._:/()\\[\\]&|!<>=+*-]{0,1023})?$',
      description: 'Capture filter in the syntax of libpcap, e.g. `not port 22`. Empty: everything.',
    }),
    tool: Type.Union([Type.Literal('auto'), Type.Literal('tcpdump'), Type.Literal('dumpcap')], {
      default: 'auto',
      description:
        'Program that captures. `auto` takes tcpdump where there is one (it tells its losses while it runs), else dumpcap.',
    }),
    tool_path: Type.String({
      default: '',
      maxLength: 4096,
      description: 'Where that program lies. Empty: it is looked for in PATH and the usual system folders.',
    }),
    promiscuous: Type.Boolean({
      default: true,
      description: 'Receive frames for other stations as well; a mirror port needs it.',
    }),
    snap_length: Type.Integer({
      default: 262_144,
      minimum: 0,
      maximum: 262_144,
      description: 'Most bytes kept of a frame; 0 keeps whole frames.',
    }),
    buffer_mib: Type.Integer({
      default: 32,
      minimum: 1,
      maximum: 2048,
      description: 'Memory of the kernel for frames that wait for the capture program, in MiB.',
    }),
    loss_poll_seconds: Type.Integer({
      default: 10,
      minimum: 1,
      maximum: 3600,
      description: 'How often tcpdump is asked how many frames it lost. dumpcap tells only at its end.',
    }),
    stop_seconds: Type.Number({
      default: 5,
      minimum: 0.1,
      maximum: 60,
      description: 'How long the capture program may take to end before it is killed.',
    }),
  },
  { additionalProperties: false, description: 'Capture from a network interface' },
);
export type LiveConfig = Static<typeof liveConfigSchema>;
