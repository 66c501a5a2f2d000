package tree

// RevertUntil is Revert that can be stopped at a step, as a kill would.
var RevertUntil = revert
