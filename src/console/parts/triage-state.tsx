import type { TriageBody } from '../../api/schemas-triage.ts';

const STATE_NAMES = { new: 'New', in_progress: 'In progress', resolved: 'Resolved' };
const RESOLUTION_NAMES: Record<string, string> = {
  true_positive: 'true positive',
  false_positive: 'false positive',
  benign: 'benign',
  test: 'test',
};

export const resolutionName = (resolution: string): string => RESOLUTION_NAMES[resolution] ?? resolution;

/** Where an alert stands, in a few words. */
export function TriageState({ triage }: { triage: TriageBody }) {
  return (
    <span class="triage-state">
      <span class={`tag-state state-of-${triage.state}`}>{STATE_NAMES[triage.state]}</span>
      {triage.resolution !== '' && <span class="muted">{resolutionName(triage.resolution)}</span>}
      {triage.assignee !== '' && <span class="tag-plain">{triage.assignee}</span>}
      {triage.muted_by !== 0 && <span class="tag-plain">muted</span>}
      {triage.maintenance !== 0 && <span class="tag-plain">maintenance</span>}
      {triage.reopened > 0 && <span class="tag-plain">came back</span>}
      {triage.repeat_of !== '' && <span class="tag-plain">repeat</span>}
      {triage.tags.map((tag) => (
        <span class="tag-plain" key={tag}>
          {tag}
        </span>
      ))}
    </span>
  );
}
