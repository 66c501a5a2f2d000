package inventory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// The checks of Chroma folders.
var (
	// chromaSchema: tables and migrations are those that Chroma makes, each collection has its two segments, its database and its tenant,
	// and no metadata belongs to records that are not there.
	chromaSchema = Check{ID: "databases.chroma", Title: "Chroma schema and collections"}
	// chromaDocuments: the text index holds the text of each document. Made at Full only.
	chromaDocuments = Check{ID: "databases.chroma-documents", Title: "Chroma text index"}
	// chromaQueue: the queue goes on where the segments are; else Chroma drops what is added.
	chromaQueue = Check{ID: "databases.chroma-queue", Title: "Chroma queue"}
	// chromaIndex: the files of each index fit each other; at Full also the graph and the vectors in them.
	chromaIndex = Check{ID: "vectors.chroma-index", Title: "Chroma indexes"}
	// chromaIDs: each record has its vector, and no vector is of a record that is not there.
	chromaIDs = Check{ID: "vectors.chroma-ids", Title: "Chroma records and vectors"}
)

// ChromaCheck is the check of a Chroma database as a whole: where it has looked at a folder, its collections are counted.
func ChromaCheck() Check { return chromaSchema }

// chromaDatabase is the name of Chroma's database.
const chromaDatabase = "chroma.sqlite3"

// The files of an index.
const (
	headerFile = "header.bin"
	level0File = "data_level0.bin"
	lengthFile = "length.bin"
	linksFile  = "link_lists.bin"
	idMapFile  = "index_metadata.pickle"
)

// chromaStore looks at Chroma folders of the versions 0.4 to 1.5: a database, and a folder for each index.
type chromaStore struct{ folder *regexp.Regexp }

func newChromaStore() chromaStore {
	return chromaStore{folder: regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)}
}

// Checks are what it looks at.
func (chromaStore) Checks() []Check {
	return append(databaseChecks(), chromaSchema, chromaDocuments, chromaQueue, chromaIndex, chromaIDs)
}

// Belongs knows the database with what SQLite lays beside it, and the files of an index in a folder that has a UUID for a name.
func (s chromaStore) Belongs(file string) (dir string, ok bool) {
	dir, base := path.Dir(file), path.Base(file)
	switch base {
	case chromaDatabase, chromaDatabase + "-journal", chromaDatabase + "-wal", chromaDatabase + "-shm":
		return dir, true
	case headerFile, level0File, lengthFile, linksFile, idMapFile:
		return path.Dir(dir), s.folder.MatchString(path.Base(dir))
	}
	return "", false
}

// Validate looks at one Chroma folder.
func (chromaStore) Validate(ctx context.Context, dir string, files map[string]*Subject, r *Recorder) error {
	c := &chroma{dir: dir, files: files, folders: map[string]map[string]*Subject{}, r: r}
	for name, s := range files {
		if folder, base, in := strings.Cut(name, "/"); in {
			if c.folders[folder] == nil {
				c.folders[folder] = map[string]*Subject{}
			}
			c.folders[folder][base] = s
		}
	}
	switch main := files[chromaDatabase]; {
	case main == nil:
		c.lost("is missing")
		return nil
	case main.Entry.Size == 0:
		c.lost("is empty")
		return nil
	default:
		return c.validate(ctx, main)
	}
}

// chroma is one Chroma folder that is being looked at.
type chroma struct {
	dir     string
	files   map[string]*Subject
	folders map[string]map[string]*Subject // of the indexes, by their name
	r       *Recorder
	db      *database
	catalog chromaCatalog
}

// lost records that the database is gone, if there ever was one: real Chroma creates an empty one and says nothing.
func (c *chroma) lost(what string) {
	indexes := 0
	for _, files := range c.folders {
		if files[headerFile] != nil && files[level0File] != nil {
			indexes++
		}
	}
	journals := slices.ContainsFunc([]string{journalSuffix, walSuffix}, func(suffix string) bool { return c.files[chromaDatabase+suffix] != nil })
	if indexes == 0 && c.files[chromaDatabase] == nil && !journals {
		return
	}
	c.r.Checked(chromaSchema, 1)
	c.unseen()
	c.find(chromaSchema, Damaged, chromaDatabase, "", fmt.Sprintf(
		"%s: Chroma would start with an empty database and report no collections; nothing names the %d indexes that are here", what, indexes))
}

// find records a finding at a file or folder of the store.
func (c *chroma) find(check Check, status Status, name, object, text string) {
	c.r.Find(check, Finding{Status: status, Path: path.Join(c.dir, name), Object: object, Text: text})
}

// fault records what an error of the database means. It returns those that mean nothing for it: of reading, of the context.
func (c *chroma) fault(check Check, object string, err error) error {
	if err == nil {
		return nil
	}
	status, text, ok := faulty(err)
	if !ok {
		return err
	}
	c.find(check, status, chromaDatabase, object, text)
	return nil
}

// validate looks at a folder that has a database.
func (c *chroma) validate(ctx context.Context, main *Subject) (err error) {
	db, err := checkDatabase(ctx, main, c.r)
	if err != nil {
		c.unseen()
		return c.fault(chromaSchema, "", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c.db = db
	c.r.Checked(chromaSchema, 1)
	sound, err := c.schema(ctx)
	if err != nil || !sound {
		c.unseen()
		return c.fault(chromaSchema, "", err)
	}
	if err := c.load(ctx); err != nil {
		c.unseen()
		return c.fault(chromaSchema, "", err)
	}
	c.orphans()
	var problems []error
	problems = append(problems, c.fault(chromaSchema, "", c.relations(ctx)))
	if err := c.progress(ctx); err != nil {
		problems = append(problems, err)
	}
	if err := c.queue(ctx); err != nil {
		problems = append(problems, c.fault(chromaQueue, "", err))
		c.catalog.blind = true
	}
	for _, one := range c.catalog.collections {
		problems = append(problems, c.collection(ctx, one))
	}
	if c.r.Options.Depth == Full && c.r.Wants(chromaDocuments.ID) {
		problems = append(problems, c.documents(ctx))
	}
	return errors.Join(problems...)
}

// unseen records that nothing more can be said.
func (c *chroma) unseen() {
	for _, check := range []Check{chromaDocuments, chromaQueue, chromaIndex, chromaIDs} {
		if check == chromaDocuments && c.r.Options.Depth != Full {
			continue
		}
		c.find(check, Unchecked, chromaDatabase, "", "the database does not tell what collections there are")
	}
}

// orphans records index folders that belong to no collection: Chroma leaves them behind when a collection is deleted.
func (c *chroma) orphans() {
	known := map[string]bool{}
	for _, one := range c.catalog.collections {
		known[one.vector.id] = true
	}
	for _, name := range c.catalog.strays {
		known[name] = true
	}
	for _, folder := range slices.Sorted(maps.Keys(c.folders)) {
		if !known[folder] {
			c.find(chromaIndex, Warning, folder, "", "belongs to no collection: Chroma leaves the folder of a deleted collection behind; it only takes space")
		}
	}
}

// collection looks at one collection: its index, its records, and whether they are the same.
func (c *chroma) collection(ctx context.Context, one *chromaCollection) error {
	state, err := c.index(ctx, one)
	if err != nil {
		return fmt.Errorf("read the index of collection %s: %w", one.name, err)
	}
	return c.records(ctx, one, state)
}
