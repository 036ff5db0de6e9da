// aimock rolls its chaos with Math.random: from a seed, a run that failed can be had again.
let state = Number(process.env.AIMOCK_SEED ?? 1) >>> 0;

Math.random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
