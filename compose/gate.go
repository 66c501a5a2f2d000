package compose

// GateArg is the hidden first argument with which the plugin's executable becomes a gate: a process whose id is known, which turns into docker
// compose once it is told to. So there is no moment in which docker compose works and nobody has it on record, whoever is killed when.
const GateArg = "__gate"
