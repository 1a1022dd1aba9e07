import 'uplot/dist/uPlot.min.css';
import './style/base.css';
import './style/frame.css';
import './style/parts.css';
import './style/traces.css';
import './style/trace.css';
import './style/pages.css';
import { render } from 'preact';
import { followLinks } from './app/address';
import { App } from './app/app';
import { followKeys } from './app/keys';
import { followEvents } from './app/live';
import { followTheme } from './app/theme';

followTheme();
followLinks();
followKeys();
followEvents();
render(<App />, document.body);
