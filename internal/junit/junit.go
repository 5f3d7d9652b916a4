// Package junit writes the XML that CI systems read test results from.
package junit

import (
	"encoding/xml"
	"io"
	"strings"
)

// Suite is a list of test cases.
type Suite struct {
	XMLName  xml.Name `xml:"testsuite"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`    // set by Write
	Failures int      `xml:"failures,attr"` // set by Write
	Cases    []Case   `xml:"testcase"`
}

// Case is one test.
type Case struct {
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	Failure *Failure `xml:"failure"` // nil: passed
}

// Failure is how a test failed.
type Failure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// Fail is a failure; characters that XML cannot hold are left out of text.
func Fail(message, text string) *Failure {
	return &Failure{Message: printable(message), Text: printable(text)}
}

// Write writes the suite as a document.
func (s Suite) Write(w io.Writer) error {
	s.Tests, s.Failures = len(s.Cases), 0
	for _, c := range s.Cases {
		if c.Failure != nil {
			s.Failures++
		}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(s); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}
