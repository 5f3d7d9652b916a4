// Package hint carries advice for the user beside an error: what went wrong
// stays an ordinary error chain, what to do about it is printed on a line of
// its own.
package hint

import "errors"

// Error is an error with advice.
type Error struct {
	Err  error
	Hint string // one line, no full stop
}

// Error is the message without the advice.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap keeps errno and sentinel errors visible to errors.Is.
func (e *Error) Unwrap() error { return e.Err }

// With attaches advice to err; nil stays nil, and empty advice adds nothing.
func With(err error, advice string) error {
	if err == nil || advice == "" {
		return err
	}
	return &Error{Err: err, Hint: advice}
}

// Of is the outermost advice in err's chain, or "".
func Of(err error) string {
	var h *Error
	if errors.As(err, &h) {
		return h.Hint
	}
	var m interface{ Hint() string } // errors that carry their own advice
	if errors.As(err, &m) {
		return m.Hint()
	}
	return ""
}
