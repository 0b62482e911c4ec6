import { signal } from '@preact/signals';

export type Theme = 'auto' | 'light' | 'dark';
const KEY = 'wardwatch.theme';
const ORDER: Theme[] = ['auto', 'light', 'dark'];

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return ORDER.find((theme) => theme === value) ?? 'auto';
  } catch {
    return 'auto';
  }
}

export const theme = signal<Theme>('auto');

function apply(value: Theme): void {
  theme.value = value;
  if (value === 'auto') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = value;
}

export function startTheme(): void {
  apply(stored());
}

/** System's choice, then light, then dark, then round again. */
export function nextTheme(): void {
  apply(ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length]!);
  try {
    localStorage.setItem(KEY, theme.value);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}
