import './style.css';
import { render } from 'preact';
import { Console } from './console.tsx';
import { startLive } from './live.ts';
import { startRouter } from './router.ts';
import { startSession } from './session.ts';
import { startTheme } from './theme.ts';

startTheme();
startRouter();
startLive();
void startSession();
const root = document.getElementById('app');
if (root) {
  root.replaceChildren();
  render(<Console />, root);
}
