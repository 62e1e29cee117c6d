import type { Matched } from '../shared/routing.js';
import type { Route } from './exchange.js';
import { businessRoutes } from './routes-business.js';
import { consumerRoutes } from './routes-consumers.js';
import { keyRoutes } from './routes-keys.js';
import { rotationRoutes } from './routes-rotation.js';

/** Every path that the tenant has, as it stands below /api. */
export const routes: readonly Route[] = [...consumerRoutes, ...keyRoutes, ...rotationRoutes, ...businessRoutes];

export type MatchedRoute = Matched<Route>;
