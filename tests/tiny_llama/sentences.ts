/** What the tiny Llama of the fixtures has learnt by heart: each from its first words on. */
export const sentences = [
  "A prompt is read at once, and an answer is written one token after the other.",
  "Where memory is slow, every token waits for all the weights.",
  "No number is worth more than the check that came before it.",
] as const;
