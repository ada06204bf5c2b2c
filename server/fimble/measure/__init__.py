"""Looking at Fimble from outside: one-shot completion, the demo, the doctor, benchmarks."""
