import { computed } from '@preact/signals';
import { createTimeFormat } from './format.ts';
import { overview } from './live.ts';

/** Times as the site reads them; UTC until the server has said where the site is. */
export const time = computed(() => createTimeFormat(overview.value?.time_zone ?? 'UTC'));
