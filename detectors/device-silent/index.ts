import { INFORMATIONAL, LOW, MEDIUM, defineDetector, endpointOf, nameOf, plural } from '../../src/detect/sdk.ts';
import type { DeviceView, Severity } from '../../src/detect/sdk.ts';

interface Rhythm {
  /** Longest pause while learning (and, later, that was no alert), seconds. */
  longestS: number;
  /** Seconds of event time for which the device has been watched, in earlier recordings. */
  watchedS: number;
  /** Second of this recording in which it was first heard; -1 before that. */
  sinceS: number;
  /** Seconds in which it was heard. */
  heardS: number;
  lastHeardUs: number;
  /** Speaks a clinical protocol. */
  clinical: boolean;
  /** It said goodbye: released its address. */
  leftUs: number;
  /** When its silence was last laid to the switch or the mirror: it has time to come back from then on. */
  outageUs: number;
  silent: boolean;
}

/** How the other devices of the segment fare while one is silent. */
interface Others {
  /** Devices there are. */
  known: number;
  /** Heard since it was due to be heard, as far as they are regular without a break. */
  talking: number;
  /** Regular ones that fell silent in the same moment and are silent beyond the longest pause of their own. */
  gone: number;
}

/** Frames of one moment are no further apart. */
const SAME_MOMENT_US = 2e6;
/** Time that devices get to come back after an outage of their segment was last seen. */
const RETURN_US = 600e6;
/** So many others that fall silent in the same moment are not as many faults. */
const SEVERAL = 2;
/** From so many devices on, blind-spot speaks of the segment. */
const SEGMENT = 4;
/** Seconds in which a device was heard, and silence in its longest pauses, that count before anything is learned. */
const COLD_HEARD = 30;
const COLD_PAUSES = 10;

export default defineDetector({
  id: 'device-silent',
  version: 1,
  status: 'stable',
  title: 'Device has fallen silent',
  summary: 'A device that used to be heard regularly is not heard any more, while its segment is.',
  analytic: 'behavioral',
  techniques: [
    { id: 'T0815', name: 'Denial of View', matrix: 'ics' },
    { id: 'T0826', name: 'Loss of Availability', matrix: 'ics' },
  ],
  params: {
    min_silence_s: {
      default: 15,
      min: 5,
      max: 3600,
      unit: 's',
      doc: 'Shorter silence is never told: cables are moved, devices roam.',
    },
    factor: {
      default: 3,
      min: 1.5,
      max: 20,
      doc: 'Silence is told from this many times the longest pause that was learned.',
    },
    max_pause_s: {
      default: 120,
      min: 5,
      max: 3600,
      unit: 's',
      doc: 'A device with longer pauses while learning is not heard regularly and is left alone.',
    },
    min_watched_s: {
      default: 120,
      min: 30,
      max: 86_400,
      unit: 's',
      doc: 'Time watched before the pauses of a device say anything.',
    },
    mirror_share: {
      default: 0.3,
      min: 0.05,
      max: 1,
      doc: 'When this share of the devices of a segment fell silent at once, it is the switch or the mirror and not the devices.',
    },
  },
  create(ctx) {
    const { min_silence_s, factor, max_pause_s, min_watched_s, mirror_share } = ctx.params;
    const rhythms = ctx.perDevice<Rhythm>(() => ({
      longestS: 0,
      watchedS: 0,
      sinceS: -1,
      heardS: 0,
      lastHeardUs: 0,
      clinical: false,
      leftUs: 0,
      outageUs: 0,
      silent: false,
    }));
    /** Last outage of each VLAN: from when on devices were missing, and when it was last seen to go on. */
    const outages = ctx.site(() => new Map<string, { fromUs: number; seenUs: number }>());
    /** Before this moment nothing was watched. */
    const watched = ctx.site(() => ({ fromUs: 0, seconds: 0 }));

    const watchedS = (r: Rhythm): number => r.watchedS + (r.sinceS < 0 ? 0 : watched.seconds - r.sinceS);
    const limitOf = (r: Rhythm): number => Math.max(min_silence_s, factor * r.longestS);
    const regular = (r: Rhythm): boolean => watchedS(r) >= min_watched_s && r.longestS <= max_pause_s;
    /** While nothing is learned, what reports every few seconds is regular soon; its silence must be the longer. */
    const coldLimitOf = (r: Rhythm): number => Math.max(2 * min_silence_s, COLD_PAUSES * r.longestS);
    const regularCold = (r: Rhythm): boolean => r.clinical && r.heardS >= COLD_HEARD && r.longestS <= min_silence_s;

    /** What a patient hangs on reports all the time; archives and scanners work, and rest. */
    function coldTold(device: DeviceView, r: Rhythm): boolean {
      const cls = ctx.classOf(device);
      return cls.medical && cls.lifeSupporting && !cls.server && !cls.interactive && regularCold(r);
    }

    /** Asks it only of one that is silent: it visits every device. */
    function others(of: DeviceView, nowUs: number): Others {
      const result = { known: 0, talking: 0, gone: 0 };
      // The cut may be as much later than its last frame as it pauses.
      const dueUs = of.lastUs + rhythms(of).longestS * 1e6 + SAME_MOMENT_US;
      for (const device of ctx.devices()) {
        if (device === of || device.vlan !== of.vlan || device.isGateway || device.lastUs <= watched.fromUs) continue;
        result.known++;
        const r = rhythms(device);
        const overdue =
          (regular(r) || (device.learning && regularCold(r))) &&
          nowUs - device.lastUs > r.longestS * 1e6 + SAME_MOMENT_US;
        if (!overdue) {
          if (device.lastUs > dueUs) result.talking++;
        } else if (device.lastUs <= dueUs && device.lastUs + r.longestS * 1e6 + SAME_MOMENT_US >= of.lastUs)
          result.gone++;
      }
      return result;
    }

    return {
      onHeard(device): void {
        if (device.isGateway) return;
        const r = rhythms(device);
        const { lastUs } = device;
        if (r.sinceS < 0) r.sinceS = watched.seconds;
        if (lastUs <= r.lastHeardUs) return;
        const pauseS = r.lastHeardUs === 0 || r.lastHeardUs <= watched.fromUs ? 0 : (lastUs - r.lastHeardUs) / 1e6;
        // A pause that was an alert or an outage is no habit; one that was neither becomes one.
        const told = r.silent;
        r.silent = false;
        if ((!told || device.learning) && pauseS > r.longestS && r.outageUs <= r.lastHeardUs) r.longestS = pauseS;
        r.heardS++;
        r.lastHeardUs = lastUs;
        if (r.longestS <= max_pause_s) ctx.wakeAt(device, lastUs + limitOf(r) * 1e6);
      },
      onSecond(): void {
        watched.seconds++;
      },
      onLearned(device): void {
        const r = rhythms(device);
        // Whatever is off when learning ends was put away: it is told of when it falls silent again.
        if (ctx.nowUs() - device.lastUs > limitOf(r) * 1e6) r.silent = true;
        ctx.wakeAt(device, ctx.nowUs());
      },
      onWake(device, nowUs): void {
        const r = rhythms(device);
        const { lastUs } = device;
        if (device.isGateway || r.silent || r.sinceS < 0 || r.longestS > max_pause_s) return;
        if (device.learning && !coldTold(device, r)) return;
        const missingS = device.learning ? 0 : min_watched_s - watchedS(r);
        const limitS = device.learning ? coldLimitOf(r) : limitOf(r);
        const dueUs = Math.max(lastUs, r.outageUs) + limitS * 1e6;
        if (missingS > 0 || dueUs > nowUs || ctx.blind(device)) {
          ctx.wakeAt(device, Math.max(nowUs + Math.max(1, missingS) * 1e6, dueUs));
          return;
        }
        const silentS = (nowUs - lastUs) / 1e6;
        const outage = outages.get(device.vlan);
        // What fell silent in an outage may come back later than others: it starts again, and finds its network anew.
        if (
          outage !== undefined &&
          lastUs >= outage.fromUs - SAME_MOMENT_US &&
          lastUs <= outage.seenUs &&
          nowUs - outage.seenUs < RETURN_US
        ) {
          r.outageUs = nowUs;
          ctx.wakeAt(device, nowUs + limitS * 1e6);
          return;
        }
        const rest = others(device, nowUs);
        const together = rest.gone >= SEVERAL;
        const alone = rest.talking === 0;
        if (
          (together && rest.gone >= mirror_share * (rest.gone + rest.talking)) ||
          (alone && rest.known + 1 >= SEGMENT)
        ) {
          r.outageUs = nowUs;
          if (outage === undefined || lastUs > outage.seenUs)
            outages.set(device.vlan, { fromUs: lastUs, seenUs: nowUs });
          else {
            outage.fromUs = Math.min(outage.fromUs, lastUs);
            outage.seenUs = nowUs;
          }
          ctx.wakeAt(device, nowUs + limitS * 1e6);
          return;
        }
        r.silent = true;
        const cls = ctx.classOf(device);
        const left = nowUs - r.leftUs < (silentS + 10) * 1e6;
        const important = cls.medical || cls.lifeSupporting || r.clinical;
        const severity: Severity = left ? INFORMATIONAL : important && !together && !alone ? MEDIUM : LOW;
        ctx.finding({
          device,
          subject: 'silence',
          severity,
          confidence: Math.min(95, Math.round(60 + 5 * (silentS / Math.max(1, r.longestS)))),
          tsUs: nowUs,
          firstUs: lastUs,
          title: left ? 'Device was switched off' : 'Device has fallen silent',
          sentence:
            `${nameOf(device)} has not been heard for ${Math.round(silentS)} s; its longest pause in ` +
            `${plural(watchedS(r), 'second')} of watching was ${r.longestS.toFixed(1)} s, and ` +
            (alone
              ? 'no other device of the segment was heard since'
              : `${plural(rest.talking, 'other device')} of the segment ${rest.talking === 1 ? 'goes' : 'go'} on talking`) +
            (rest.gone > 0 ? `; ${plural(rest.gone, 'other device')} fell silent with it.` : '.'),
          evidence: [{ src: endpointOf(device), dst: undefined }],
          anomalies: [
            {
              parameter: 'seconds since last heard',
              expected: `at most ${limitS.toFixed(0)}`,
              seen: silentS.toFixed(0),
              unit: 's',
              learned: r.heardS,
              pattern: 'ABSENT',
            },
            {
              parameter: 'longest pause',
              expected: `${r.longestS.toFixed(1)} s`,
              seen: `${silentS.toFixed(0)} s`,
              pattern: 'ABOVE RANGE',
            },
          ],
          ...(important
            ? {
                patient: 'Vital signs, alarms or therapy data of this device may no longer reach those who watch them.',
              }
            : {}),
          advice: [
            'Look at the device at the bedside first: is it on, and does it alarm locally?',
            'Then check its network cable or wireless link and the switch port.',
          ],
          caution: ['Do not restart a device in use from afar to bring it back.'],
        });
      },
      messageKinds: [
        'dhcp.message',
        'hl7.*',
        'dicom.*',
        'intellivue.*',
        'carescape.*',
        'contec.*',
        'poct1a.*',
        'astm.*',
        'sdc.*',
      ],
      onMessage(message): void {
        const device = message.speaker.device;
        if (device === undefined || message.speaker.isRemote) return;
        if (message.kind === 'dhcp.message') {
          if (message.text('message_type') === 'RELEASE') rhythms(device).leftUs = ctx.nowUs();
        } else rhythms(device).clinical = true;
      },
      onUnobserved(_fromUs, toUs): void {
        watched.fromUs = toUs;
        for (const device of ctx.devices()) {
          const r = rhythms(device);
          r.silent = false;
          r.watchedS = watchedS(r);
          r.sinceS = -1;
        }
      },
    };
  },
});
