package plugin

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"github.com/memsys/docker-memsys/internal/display"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/validate"
)

// The JUnit report as build servers read it: a suite for each group, a case for each check of each source.
type (
	junitReport struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Errors    int         `xml:"errors,attr"`
		Time      string      `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		Classname string        `xml:"classname,attr"`
		Time      string        `xml:"time,attr"`
		Failure   *junitMessage `xml:"failure"`
		Skipped   *junitMessage `xml:"skipped"`
		Output    string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// printJUnit prints a report for build servers.
func (a *app) printJUnit(r *validate.Report, opts validateOptions) error {
	data, err := xml.MarshalIndent(junitOf(r, opts.failOn), "", "  ")
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return a.printf("%s%s\n", xml.Header, data)
}

// junitOf is the report; failOn says from which status on a case has failed.
func junitOf(r *validate.Report, failOn string) junitReport {
	name := "docker memsys validate"
	if r.Backup != "" {
		name += " " + r.Backup
	}
	out := junitReport{Name: display.Clean(name), Time: fmt.Sprintf("%.3f", r.Seconds)}
	for _, res := range r.Results {
		group := string(res.Check.Group())
		if len(out.Suites) == 0 || out.Suites[len(out.Suites)-1].Name != group {
			out.Suites = append(out.Suites, junitSuite{Name: group, Time: "0.000", Timestamp: r.Began.UTC().Format(time.RFC3339)})
		}
		suite := &out.Suites[len(out.Suites)-1]
		one := junitCaseOf(res, failOn)
		suite.Cases = append(suite.Cases, one)
		suite.Tests++
		if one.Failure != nil {
			suite.Failures++
		}
		if one.Skipped != nil {
			suite.Skipped++
		}
	}
	for _, s := range out.Suites {
		out.Tests, out.Failures, out.Skipped = out.Tests+s.Tests, out.Failures+s.Failures, out.Skipped+s.Skipped
	}
	return out
}

func junitCaseOf(res inventory.Result, failOn string) junitCase {
	out := junitCase{Name: res.Check.ID, Classname: display.Clean(string(res.Check.Group()) + "." + orProject(res.Source)), Time: "0.000"}
	var lines []string
	for _, f := range res.Findings {
		lines = append(lines, display.Clean(strings.TrimPrefix(findingPlace(f)+": ", ": ")+string(f.Status)+": "+f.Text))
	}
	if res.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", res.More))
	}
	text := strings.Join(lines, "\n")
	switch {
	case res.Status == inventory.Damaged, res.Status == inventory.Warning && failOn == failOnWarning:
		out.Failure = &junitMessage{Message: display.Clean(res.Check.Title) + ": " + string(res.Status), Type: string(res.Status), Text: text}
	case res.Status == inventory.Unchecked:
		out.Skipped = &junitMessage{Message: display.Clean(res.Why), Text: text}
	default:
		out.Output = text
	}
	return out
}

// orProject names what a result is of: a source, or the project.
func orProject(source string) string {
	if source == "" {
		return "project"
	}
	return source
}
