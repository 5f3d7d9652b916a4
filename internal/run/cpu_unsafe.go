package run

import "unsafe"

func uptr(p *int) uintptr { return uintptr(unsafe.Pointer(p)) }
