// Package guest runs programs in containers and compares what they say with
// what Linux says.
package guest

import (
	"os"
	"testing"

	"dettrace/test/lab"
)

var sigLab lab.Lab

func TestMain(m *testing.M) { os.Exit(lab.Main(m, &sigLab)) }
