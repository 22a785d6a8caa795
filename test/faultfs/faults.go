package main

import (
	"fmt"
	"regexp"
	"sync"
	"syscall"
)

// fault makes operations fail.
type fault struct {
	// fsync, flush (close), write, rename, create, mkdir, unlink, link
	Kind string `json:"kind"`
	// A regular expression for the path below the mount; a rename has two: either.
	Path  string `json:"path"`
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
	"EROFS": syscall.EROFS, "EACCES": syscall.EACCES,
}

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
func (f *faults) step(kind string, paths ...string) syscall.Errno {
	return f.stepWrite(kind, -1, paths...)
}

func (f *faults) stepWrite(kind string, end int64, paths ...string) syscall.Errno {
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
