/** A meow and a purr, made by WebAudio: no files, and silent until somebody asks for it. */

let context: AudioContext | null = null;

/** Must first be called from a click or a key: browsers give no sound before. */
export function wake(): AudioContext | null {
  if (typeof AudioContext === "undefined") return null;
  context ??= new AudioContext();
  if (context.state === "suspended") void context.resume();
  return context;
}

/** Half a second: up, then down, through a mouth that opens and closes. */
export function meow(): void {
  const audio = wake();
  if (audio === null) return;
  const now = audio.currentTime;
  const voice = new OscillatorNode(audio, { type: "sawtooth", frequency: 440 });
  const mouth = new BiquadFilterNode(audio, { type: "bandpass", frequency: 700, Q: 3 });
  const loud = new GainNode(audio, { gain: 0 });
  voice.frequency.setValueAtTime(440, now);
  voice.frequency.exponentialRampToValueAtTime(760, now + 0.18);
  voice.frequency.exponentialRampToValueAtTime(380, now + 0.6);
  mouth.frequency.setValueAtTime(700, now);
  mouth.frequency.linearRampToValueAtTime(1_900, now + 0.22);
  mouth.frequency.linearRampToValueAtTime(600, now + 0.6);
  loud.gain.linearRampToValueAtTime(0.16, now + 0.08);
  loud.gain.linearRampToValueAtTime(0, now + 0.62);
  voice.connect(mouth).connect(loud).connect(audio.destination);
  voice.start(now);
  voice.stop(now + 0.65);
}

/** Purrs until what it gives is called: low noise that beats 26 times a second and breathes. */
export function purr(): () => void {
  const audio = wake();
  if (audio === null) return () => {};
  const noise = new AudioBufferSourceNode(audio, { buffer: rumble(audio), loop: true });
  const throat = new BiquadFilterNode(audio, { type: "lowpass", frequency: 180 });
  const beat = new GainNode(audio, { gain: 0.5 });
  const loud = new GainNode(audio, { gain: 0 });
  const pulse = new OscillatorNode(audio, { type: "sawtooth", frequency: 26 });
  const breath = new OscillatorNode(audio, { frequency: 0.45 });
  pulse.connect(new GainNode(audio, { gain: 0.5 })).connect(beat.gain);
  breath.connect(new GainNode(audio, { gain: 0.04 })).connect(loud.gain);
  noise.connect(throat).connect(beat).connect(loud).connect(audio.destination);
  loud.gain.linearRampToValueAtTime(0.12, audio.currentTime + 0.4);
  for (const source of [noise, pulse, breath]) source.start();
  return () => {
    loud.gain.cancelScheduledValues(audio.currentTime);
    loud.gain.setTargetAtTime(0, audio.currentTime, 0.12);
    for (const source of [noise, pulse, breath]) source.stop(audio.currentTime + 0.8);
  };
}

function rumble(audio: AudioContext): AudioBuffer {
  const buffer = audio.createBuffer(1, audio.sampleRate * 2, audio.sampleRate);
  const samples = buffer.getChannelData(0);
  for (let i = 0; i < samples.length; i++) samples[i] = Math.random() * 2 - 1;
  return buffer;
}
