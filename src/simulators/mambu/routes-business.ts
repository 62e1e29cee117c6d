import { json, Refusal } from './answers.js';
import { page, requirePermission, type Route } from './exchange.js';

const common = { method: 'GET', scheme: 'key', idempotent: false, consumersFeature: false } as const;

const branches = [
  { encodedKey: '8a8187366a01d4a1016a023792a500b7', id: 'head-office', name: 'Head office', state: 'ACTIVE' },
  { encodedKey: '8a8187366a01d4a1016a023792a500b8', id: 'harbour', name: 'Harbour', state: 'ACTIVE' },
];

const clients = [
  { encodedKey: '8a818e74677a2e9201677ec2b4c336a6', id: '916524076', firstName: 'Ada', lastName: 'Example' },
];

/** A few things that a key is good for besides rotating itself. */
export const businessRoutes: readonly Route[] = [
  {
    ...common,
    template: '/branches',
    handle(exchange) {
      requirePermission(exchange, 'VIEW_BRANCH_DETAILS');
      const { rows, headers } = page(exchange, branches);
      return json(200, rows, headers);
    },
  },
  {
    ...common,
    template: '/clients/{id}',
    handle(exchange) {
      requirePermission(exchange, 'VIEW_CLIENT_DETAILS');
      const name = exchange.params['id'];
      const client = clients.find(({ id, encodedKey }) => id === name || encodedKey === name);
      if (client === undefined) throw new Refusal(404, 'INVALID_CLIENT_ID');
      return json(200, client);
    },
  },
  {
    ...common,
    template: '/loans',
    handle(exchange) {
      requirePermission(exchange, 'VIEW_LOAN_ACCOUNT_DETAILS');
      return json(200, []);
    },
  },
];
