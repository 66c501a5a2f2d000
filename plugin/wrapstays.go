package plugin

import (
	"context"
	"fmt"
	"strings"

	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
)

// nothingGone says, after a down that deletes no volumes, that the data is still there: as the last good backup has it, or with what the
// services have still written. What is gone is warned of; the exit code stays docker compose's.
func (w *guarded) nothingGone(ctx context.Context, err error) error {
	if err != nil || w.command.verb != "down" || w.deletes() || w.opts.backup == backupNever || w.Config.Validate == proofNone {
		return err
	}
	gone, text, failed := w.staying(ctx)
	switch {
	case ctx.Err() != nil:
		return &outcome{
			code: exitInterrupted, message: "interrupted while the data was compared with the last backup; docker compose down has done its work", err: context.Cause(ctx),
		}
	case failed != nil:
		w.tellData(progress.Warning, "whether all of the data is there could not be seen: "+failed.Error())
	case gone:
		w.tellData(progress.Warning, text)
	case text != "":
		w.tellData(progress.Done, text)
	}
	return nil
}

func (w *guarded) tellData(status progress.Status, text string) {
	w.app.sink().Report(progress.Event{Step: "data", Status: status, Text: text})
}

// staying compares the sources of before with the last good backup: their files, and where these have changed, what is in them. It says whether
// something is gone; without a text there is nothing to compare.
func (w *guarded) staying(ctx context.Context) (gone bool, text string, err error) {
	way, err := w.choose(ctx, reads)
	if err != nil || way.helper {
		return false, "", err
	}
	// The sources are those of before: anonymous volumes are seen in containers alone.
	if w.Containers, err = w.containers(ctx); err != nil {
		return false, "", err
	}
	plan, err := w.planBackup(ctx, w.wish())
	if err != nil || plan.Previous == nil {
		return false, "", err
	}
	why, err := plan.Changed(ctx)
	if err != nil {
		return false, "", err
	}
	if why == "" {
		return false, "nothing of it is gone: it is as in " + plan.Previous.Name, nil
	}
	c := w.app.comparison(diffOptions{})
	if err := c.side(0, *plan.Previous); err != nil {
		return false, "", err
	}
	d, err := c.live(ctx, w.session)
	if err != nil {
		return false, "", err
	}
	gone, text = stayingText(d)
	return gone, text, nil
}

// stayingText says in one line what a comparison with a backup came to. Files without memories come and go as programs end: they are gone if
// a source has none left.
func stayingText(d diffObject) (gone bool, text string) {
	var lost, written []string
	for _, c := range d.Collections {
		at := strings.TrimSpace(c.Kind+" "+c.Name) + " of source " + c.Source
		if c.Kind == inventory.KindFile {
			at = "files of source " + c.Source
		}
		switch {
		case c.Gone > 0 && (c.Kind != inventory.KindFile || c.After == 0):
			lost = append(lost, fmt.Sprintf("%d of %d in %s", c.Gone, c.Before, at))
		case c.Came+c.Changed+c.Gone > 0:
			written = append(written, fmt.Sprintf("%d new, %d changed, %d removed in %s", c.Came, c.Changed, c.Gone, at))
		}
	}
	name := d.Before.Backup
	switch {
	case len(lost) > 0:
		return true, fmt.Sprintf("%s has what is not there now: %s%s: docker memsys diff %s names it", name, lost[0], moreWords(len(lost)-1), name)
	case len(d.Notes) > 0:
		return true, "not all of it could be compared with " + name + ": " + d.Notes[0] + moreWords(len(d.Notes)-1)
	case len(written) > 0:
		return false, fmt.Sprintf("no memory is gone; since %s services have written: %s%s", name, written[0], moreWords(len(written)-1))
	}
	return false, "nothing of it is gone: the same memories as in " + name
}
