// Preloaded (`node --import`) into a tool of others: a connection that leaves this machine ends the process, loudly.
import net from 'node:net';

const { connect } = net.Socket.prototype;

net.Socket.prototype.connect = function loopbackOnly(...args) {
  const [first] = net._normalizeArgs(Array.isArray(args[0]) ? args[0] : args);
  if (first.path === undefined && !['127.0.0.1', 'localhost', '::1'].includes(first.host ?? 'localhost')) {
    process.stderr.write(`a connection to ${first.host}\n`);
    process.exit(97);
  }
  return Reflect.apply(connect, this, args);
};
