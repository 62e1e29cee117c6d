import { describeCrashes } from '../support/crash-scenarios.js';

describeCrashes('rotation');
