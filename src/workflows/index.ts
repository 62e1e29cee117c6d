export { credential } from './credential.js';
export { makeApiRequest } from './makeApiRequest.js';
export { reconcileCredential } from './reconcileCredential.js';
export { retrieveConfiguration } from './retrieveConfiguration.js';
export { rotateCredential } from './rotateCredential.js';
export { runArazzo } from './runArazzo.js';
