import { describeCrashes } from '../support/crash-scenarios.js';

describeCrashes('create-and-delete');
