package main

import (
	"context"
	"fmt"
	"regexp"
	"sync"
	"syscall"
)

// fault makes operations fail.
type fault struct {
	// fsync, flush (close), write, rename, create, mkdir, unlink, link, setattr; and of what only looks: lookup, getattr,
	// open, read, readdir, statfs
	Kind string `json:"kind"`
	// A regular expression for the path below the mount; a rename has two: either.
	Path string `json:"path"`
	// HANG answers nothing until the faults are cleared, or the caller is killed: a mount whose server is away. SHORT, of a
	// read, gives half of the bytes; TWICE, of a readdir, names everything twice.
	Errno string `json:"errno"`
	// Fails so often; 0: always.
	Times int `json:"times"`
	// Lets so many matching operations pass before.
	After int `json:"after"`
	// For write: only writes that reach beyond this offset; up to it they succeed in part.
	Offset int64 `json:"offset"`

	path *regexp.Regexp
	hits int
}

var errnos = map[string]syscall.Errno{
	"EIO": syscall.EIO, "ENOSPC": syscall.ENOSPC, "EDQUOT": syscall.EDQUOT, "ESTALE": syscall.ESTALE,
	"EROFS": syscall.EROFS, "EACCES": syscall.EACCES, "ETIMEDOUT": syscall.ETIMEDOUT,
	"HANG": hang, "SHORT": short, "TWICE": twice,
}

// No system call answers with these.
const (
	hang  = syscall.Errno(10_001)
	short = syscall.Errno(10_002)
	twice = syscall.Errno(10_003)
)

// faults is the list in force, and the count of what was done.
type faults struct {
	sync.Mutex
	list []*fault
	// Operations that change something, or flush it, so far.
	ops int
	// Before this one everything stops answering, as without power; 0: never.
	cutAt  int
	isDead bool
	failed []string
	// Calls that hang now, and what lets them go.
	hanging int
	release chan struct{}
}

func newFaults() *faults { return &faults{release: make(chan struct{})} }

// clear takes all faults away; what hangs goes on.
func (f *faults) clear() {
	f.Lock()
	defer f.Unlock()
	f.list, f.failed = nil, nil
	close(f.release)
	f.release = make(chan struct{})
}

// waits hangs until the faults are cleared: then the call goes on as if nothing had been.
func (f *faults) waits(ctx context.Context, errno syscall.Errno) syscall.Errno {
	if errno != hang {
		return errno
	}
	f.Lock()
	release := f.release
	f.hanging++
	f.Unlock()
	defer func() {
		f.Lock()
		f.hanging--
		f.Unlock()
	}()
	select {
	case <-release:
		return 0
	case <-ctx.Done():
		return syscall.EINTR
	}
}

func (f *faults) add(one *fault) error {
	if _, ok := errnos[one.Errno]; !ok {
		return fmt.Errorf("unknown errno %q", one.Errno)
	}
	compiled, err := regexp.Compile(one.Path)
	if err != nil {
		return err
	}
	one.path = compiled
	f.Lock()
	defer f.Unlock()
	f.list = append(f.list, one)
	return nil
}

// step counts an operation and says whether it fails.
func (f *faults) step(ctx context.Context, kind string, paths ...string) syscall.Errno {
	return f.stepWrite(ctx, kind, -1, paths...)
}

func (f *faults) stepWrite(ctx context.Context, kind string, end int64, paths ...string) syscall.Errno {
	return f.waits(ctx, f.counted(kind, end, paths))
}

// look says whether an operation fails that changes nothing.
func (f *faults) look(ctx context.Context, kind string, path string) syscall.Errno {
	f.Lock()
	errno := syscall.EIO
	if !f.isDead {
		errno = f.matching(kind, -1, []string{path})
	}
	f.Unlock()
	return f.waits(ctx, errno)
}

func (f *faults) counted(kind string, end int64, paths []string) syscall.Errno {
	f.Lock()
	defer f.Unlock()
	if f.isDead {
		return syscall.EIO
	}
	f.ops++
	if f.cutAt > 0 && f.ops >= f.cutAt {
		f.isDead = true
		return syscall.EIO
	}
	return f.matching(kind, end, paths)
}

func (f *faults) matching(kind string, end int64, paths []string) syscall.Errno {
	for _, one := range f.list {
		if one.Kind != kind || (end >= 0 && end <= one.Offset) {
			continue
		}
		for _, path := range paths {
			if !one.path.MatchString(path) {
				continue
			}
			one.hits++
			if one.hits <= one.After || (one.Times > 0 && one.hits > one.After+one.Times) {
				continue
			}
			f.failed = append(f.failed, kind+" "+path)
			return errnos[one.Errno]
		}
	}
	return 0
}

func (f *faults) dead() bool {
	f.Lock()
	defer f.Unlock()
	return f.isDead
}
