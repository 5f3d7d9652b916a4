package guest

import "testing"

// Calls that wait half-way or for a limited time: MSG_WAITALL, recvmmsg(2),
// SO_RCVTIMEO, SO_SNDTIMEO, and writes to what polls full but has room.
func TestSocketWaits(t *testing.T) { sameAsNative(t, "sock_wait") }
