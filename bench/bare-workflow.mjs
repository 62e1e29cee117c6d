// What a rotation would cost if it did nothing: one signal, five activities, a timer and one more activity.
import { condition, defineSignal, proxyActivities, setHandler, sleep } from '@temporalio/workflow';

const { noop } = proxyActivities({ startToCloseTimeout: '1 minute' });
const go = defineSignal('go');
const stop = defineSignal('stop');

export async function bare() {
  let wanted = 0;
  let stopped = false;
  setHandler(go, () => void (wanted += 1));
  setHandler(stop, () => void (stopped = true));
  for (let done = 0; !stopped; done += 1) {
    await condition(() => stopped || wanted > done);
    if (stopped) return;
    for (let i = 0; i < 5; i += 1) await noop();
    await sleep(1_000);
    await noop();
  }
}
