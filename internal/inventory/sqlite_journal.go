package inventory

// The first bytes of a rollback journal in work, and the last of one that names a common journal. A journal that is done is removed,
// emptied, or begins with zeros.
const journalMagic = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
