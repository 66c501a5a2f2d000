// Package power tests power loss, which a kill never does: what stands in the cache of the system outlives a killed process, and dies
// with the power.
//
// Backup, restore and recover run on a recording layer that takes down every operation on the disk, with its bytes. Then the power
// fails before each of them in turn: what may be on the disk at that moment is laid out, and docker memsys recover must bring it to the old or
// to the new state.
//
// What may be on the disk follows POSIX: fsync of a file makes its content, size and attributes durable, not its name; fsync of a
// folder makes the names in it durable; syncfs makes everything durable. Before that everything may be missing, in any combination, but for
// these rules:
//
//   - a rename happens as a whole or not at all, as on ext4, XFS and Btrfs, and all others that tests of crash consistency have looked
//     at (Pillai et al., All File Systems Are Not Created Equal, OSDI 2014; Mohan et al., Finding Crash-Consistency Bugs with
//     Bounded Black-Box Crash Testing, OSDI 2018);
//   - a rename is durable after fsync of the folder of the new name. The folder of the old name does not suffice here, though ext4 and
//     XFS write both in one transaction;
//   - changes of one name happen in order, and with one all before it; those of different names, even of one folder, in any;
//   - attributes of one file change in order; of its content any part can be missing, in pieces of a sector, but none is written that a
//     truncation before it has not preceded.
//
// Of all these states the test lays out, for each moment: the one in which everything is missing that may be; two in which all names and attributes
// are there and the content that was not synced is missing or zeros, what ext4 and XFS are known for (Linux, Documentation/filesystems/ext4,
// "auto_da_alloc", "data=ordered"); the one in which nothing is missing; and some that a seed draws.
// And to show that a sync is needed: the one in which only what that sync alone has made durable is missing.
package power
