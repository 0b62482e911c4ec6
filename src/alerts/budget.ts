const HOUR_US = 3600e6;
const HOURS = 24;
const PERIOD_US: Readonly<Record<string, number>> = { hour: HOUR_US, day: 24 * HOUR_US, week: 168 * HOUR_US };

/** How a finding that stands on chance alone came about: carried by findings, judged against the site's budget. */
export interface Chance {
  /** Probability of something at least as odd where nothing is wrong. */
  readonly pValue: number;
  /**
   * False where neither the calibration windows are many enough for a probability so small nor a tail could be fitted:
   * then the probability is the least that could be said, and never enough for an alert.
   */
  readonly calibrated: boolean;
}

/**
 * The false alarms that a site is ready to handle, for alerts that stand on chance alone. Two things keep it:
 *
 * - a limit for the probability: the budget shared out over all windows that are tested in the same time (Bonferroni,
 *   so it holds however the windows depend on each other), as the last 24 hours of event time count them;
 * - an account: tokens arrive at the rate of the budget, at most one period's or one whole token, and each alert takes
 *   one. So the budget is kept even where the calibration was wrong.
 *
 * Everything runs in event time. What rules and bindings say is no matter of chance and is not budgeted.
 */
export class FalseAlarmBudget {
  /** Findings that did not become alerts: too likely by chance, or the account was empty. */
  readonly heldBack = { likely: 0, uncalibrated: 0, spent: 0 };
  readonly #perUs: number;
  readonly #most: number;
  readonly #tests = new Float64Array(HOURS);
  #tokens: number;
  #filledUs = 0;
  #hour = 0;
  #hoursSeen = 0;

  /** @param text such as `1/day`, as the pattern of the setting allows */
  constructor(text: string) {
    const [amount = '0', period = 'day'] = text.split('/');
    const wanted = Number(amount);
    this.#perUs = wanted / (PERIOD_US[period] ?? PERIOD_US['day']!);
    this.#most = wanted === 0 ? 0 : Math.max(1, wanted);
    this.#tokens = this.#most;
  }

  save(): unknown {
    return {
      tests: this.#tests,
      tokens: this.#tokens,
      filledUs: this.#filledUs,
      hour: this.#hour,
      hoursSeen: this.#hoursSeen,
      heldBack: { ...this.heldBack },
    };
  }

  /** What was tested and spent so far; the budget itself stays as it is set now. */
  restore(saved: unknown): void {
    const { tests, tokens, filledUs, hour, hoursSeen, heldBack } = saved as {
      tests: Float64Array;
      tokens: number;
      filledUs: number;
      hour: number;
      hoursSeen: number;
      heldBack: FalseAlarmBudget['heldBack'];
    };
    this.#tests.set(tests);
    this.#tokens = Math.min(tokens, this.#most);
    this.#filledUs = filledUs;
    this.#hour = hour;
    this.#hoursSeen = hoursSeen;
    Object.assign(this.heldBack, heldBack);
  }

  /** A window was tested. */
  tested(nowUs: number): void {
    const hour = Math.floor(nowUs / HOUR_US);
    if (hour !== this.#hour) {
      // Hours in which nothing was watched count nothing, and do not push out those that were.
      this.#hour = hour;
      this.#hoursSeen++;
      this.#tests[hour % HOURS] = 0;
    }
    this.#tests[hour % HOURS]!++;
  }

  /** Probability below which a window may be an alert. */
  limit(): number {
    let tests = 0;
    let hours = 0;
    for (let i = 0; i < HOURS; i++) {
      tests += this.#tests[i]!;
      if (this.#tests[i]! > 0) hours++;
    }
    if (tests === 0) return 0;
    // An hour that has just begun is counted as far as it goes; the first one as a whole one at least.
    const perUs = tests / (Math.max(1, Math.min(hours, this.#hoursSeen)) * HOUR_US);
    return Math.min(1, this.#perUs / perUs);
  }

  /** Whether the finding may become an alert of its own; if so, it is paid for. */
  allows(chance: Chance, nowUs: number): boolean {
    if (!chance.calibrated) {
      this.heldBack.uncalibrated++;
      return false;
    }
    if (chance.pValue > this.limit()) {
      this.heldBack.likely++;
      return false;
    }
    if (nowUs > this.#filledUs) {
      if (this.#filledUs > 0)
        this.#tokens = Math.min(this.#most, this.#tokens + (nowUs - this.#filledUs) * this.#perUs);
      this.#filledUs = nowUs;
    }
    if (this.#tokens < 1) {
      this.heldBack.spent++;
      return false;
    }
    this.#tokens -= 1;
    return true;
  }
}
