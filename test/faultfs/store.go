package main

import (
	"math/rand"
	"sort"
	"strings"
	"time"
)

// The model of a disk with a cache above it. Every change is made in the cache and remembered as pending; a flush
// moves what it covers to the disk, a cut forgets what is pending. fsync of a file covers its bytes and attributes,
// not its name; fsync of a folder covers the names in it, not those above.

const blockSize = 4096

// change sets or removes one name.
type change struct {
	dir  uint64
	name string
	ino  uint64 // 0: the name goes
}

// metaOp is atomic: all of its changes reach the disk, or none.
type metaOp struct {
	changes []change
	ino     uint64 // whose ctime moves with it; 0: none
	ctime   time.Time
}

// extent is a write, or (data == nil) a change of the size.
type extent struct {
	off  int64
	data []byte
	size int64
}

type inode struct {
	ino     uint64
	isDir   bool
	mode    uint32
	mtime   time.Time
	ctime   time.Time
	data    []byte
	entries map[string]uint64
	pending []extent

	diskMode    uint32
	diskMtime   time.Time
	diskCtime   time.Time
	diskData    []byte
	diskEntries map[string]uint64
}

type disk struct {
	inodes map[uint64]*inode
	log    []*metaOp
	next   uint64
}

const rootIno = 1

// firstIno is the number of the first file.
func newDisk(firstIno uint64) *disk {
	d := &disk{inodes: map[uint64]*inode{}, next: rootIno}
	root := d.add(true, 0o755)
	root.diskMode = root.mode
	d.next = max(d.next, firstIno)
	return d
}

func (d *disk) add(isDir bool, mode uint32) *inode {
	now := time.Now()
	n := &inode{ino: d.next, isDir: isDir, mode: mode, mtime: now, ctime: now,
		diskMode: mode, diskMtime: now, diskCtime: now}
	if isDir {
		n.entries = map[string]uint64{}
		n.diskEntries = map[string]uint64{}
	}
	d.next++
	d.inodes[n.ino] = n
	return n
}

// find is a file or folder by its path; nil where there is none.
func (d *disk) find(path string) *inode {
	at := d.inodes[rootIno]
	for _, name := range strings.Split(path, "/") {
		if at = d.inodes[at.entries[name]]; at == nil {
			return nil
		}
	}
	return at
}

// meta makes a change of names in the cache.
func (d *disk) meta(op *metaOp) {
	op.ctime = time.Now()
	for _, c := range op.changes {
		dir := d.inodes[c.dir]
		if c.ino == 0 {
			delete(dir.entries, c.name)
		} else {
			dir.entries[c.name] = c.ino
		}
		dir.mtime = op.ctime
	}
	if op.ino != 0 {
		d.inodes[op.ino].ctime = op.ctime
	}
	d.log = append(d.log, op)
}

func (n *inode) write(data []byte, off int64) {
	n.pending = append(n.pending, extent{off: off, data: append([]byte(nil), data...)})
	n.data = put(n.data, data, off)
	n.mtime = time.Now()
	n.ctime = n.mtime
}

func (n *inode) truncate(size int64) {
	n.pending = append(n.pending, extent{size: size})
	n.data = resize(n.data, size)
	n.mtime = time.Now()
	n.ctime = n.mtime
}

func put(to, data []byte, off int64) []byte {
	if end := off + int64(len(data)); end > int64(len(to)) {
		to = resize(to, end)
	}
	copy(to[off:], data)
	return to
}

func resize(data []byte, size int64) []byte {
	if size <= int64(len(data)) {
		return data[:size:size]
	}
	return append(data, make([]byte, size-int64(len(data)))...)
}

// fsync of a file or a folder that worked.
func (d *disk) fsync(n *inode) {
	if n.isDir {
		d.persist(func(op *metaOp) bool { return op.touches(n.ino) })
		return
	}
	for _, e := range n.pending {
		n.diskData = e.apply(n.diskData)
	}
	n.pending = nil
	n.diskMode, n.diskMtime, n.diskCtime = n.mode, n.mtime, n.ctime
}

// fsyncFailed does what Linux does: what was dirty counts as clean, and never reaches the disk.
func (d *disk) fsyncFailed(n *inode) {
	n.pending = nil
	var rest []*metaOp
	for _, op := range d.log {
		if !op.touches(n.ino) {
			rest = append(rest, op)
		}
	}
	d.log = rest
}

func (op *metaOp) touches(dir uint64) bool {
	for _, c := range op.changes {
		if c.dir == dir {
			return true
		}
	}
	return false
}

func (e extent) apply(to []byte) []byte {
	if e.data == nil {
		return resize(to, e.size)
	}
	return put(to, e.data, e.off)
}

// persist moves the operations that are chosen to the disk, and before each of them those on the same names.
func (d *disk) persist(isChosen func(*metaOp) bool) {
	chosen := make([]bool, len(d.log))
	for i, op := range d.log {
		chosen[i] = isChosen(op)
	}
	type key struct {
		dir  uint64
		name string
	}
	needed := map[key]bool{}
	for i := len(d.log) - 1; i >= 0; i-- {
		for _, c := range d.log[i].changes {
			if needed[key{c.dir, c.name}] {
				chosen[i] = true
			}
		}
		if chosen[i] {
			for _, c := range d.log[i].changes {
				needed[key{c.dir, c.name}] = true
			}
		}
	}
	var rest []*metaOp
	for i, op := range d.log {
		if !chosen[i] {
			rest = append(rest, op)
			continue
		}
		for _, c := range op.changes {
			if c.ino == 0 {
				delete(d.inodes[c.dir].diskEntries, c.name)
			} else {
				d.inodes[c.dir].diskEntries[c.name] = c.ino
			}
		}
		if op.ino != 0 {
			d.inodes[op.ino].diskCtime = op.ctime
		}
	}
	d.log = rest
}

// How a cut treats what no flush covered.
const (
	cutStrict   = "strict"   // all of it is lost
	cutPrefix   = "prefix"   // names up to a moment survive, of the bytes some
	cutMetadata = "metadata" // names and sizes survive, bytes do not: zeros
	cutRandom   = "random"   // of everything some
	cutNothing  = "nothing"  // all of it survives: a kill, not a cut
)

// cut answers the disk as it is found after the power came back.
func (d *disk) cut(mode string, chance *rand.Rand) *disk {
	share := chance.Float64()
	switch mode {
	case cutPrefix:
		left := chance.Intn(len(d.log) + 1)
		d.persist(func(*metaOp) bool { left--; return left >= 0 })
	case cutMetadata, cutNothing:
		d.persist(func(*metaOp) bool { return true })
	case cutRandom:
		d.persist(func(*metaOp) bool { return chance.Float64() < share })
	}
	after := &disk{inodes: map[uint64]*inode{}, next: rootIno}
	d.found(rootIno, after, mode, share, chance)
	for ino := range after.inodes {
		if ino >= after.next {
			after.next = ino + 1 // numbers of lost files are given out again, as file systems do
		}
	}
	return after
}

// found copies what can be reached on the disk.
func (d *disk) found(ino uint64, after *disk, mode string, share float64, chance *rand.Rand) {
	if after.inodes[ino] != nil {
		return
	}
	n := d.inodes[ino]
	f := &inode{ino: ino, isDir: n.isDir, mode: n.diskMode, mtime: n.diskMtime, ctime: n.diskCtime}
	f.diskMode, f.diskMtime, f.diskCtime = f.mode, f.mtime, f.ctime
	after.inodes[ino] = f
	if !n.isDir {
		f.diskData = n.survives(mode, share, chance)
		f.data = append([]byte(nil), f.diskData...)
		return
	}
	f.entries, f.diskEntries = map[string]uint64{}, map[string]uint64{}
	names := make([]string, 0, len(n.diskEntries))
	for name := range n.diskEntries {
		names = append(names, name)
	}
	sort.Strings(names) // the same chance for the same seed
	for _, name := range names {
		child := n.diskEntries[name]
		f.entries[name], f.diskEntries[name] = child, child
		d.found(child, after, mode, share, chance)
	}
}

// survives answers the bytes of a file after a cut.
func (n *inode) survives(mode string, share float64, chance *rand.Rand) []byte {
	data := append([]byte(nil), n.diskData...)
	switch mode {
	case cutStrict:
		return data
	case cutMetadata:
		return resize(data, int64(len(n.data)))
	case cutNothing:
		return append([]byte(nil), n.data...)
	}
	if len(n.pending) == 0 {
		return data
	}
	for _, e := range n.pending {
		if e.data == nil {
			if chance.Float64() < share {
				data = e.apply(data)
			}
			continue
		}
		for at := int64(0); at < int64(len(e.data)); at += blockSize {
			if chance.Float64() >= share {
				continue
			}
			end := at + blockSize
			if end > int64(len(e.data)) {
				end = int64(len(e.data))
			}
			data = put(data, e.data[at:end], e.off+at)
		}
	}
	switch chance.Intn(3) {
	case 0:
		data = resize(data, int64(len(n.data))) // the size came, some blocks did not
	case 1:
		if from, to := len(n.diskData), len(data); to > from {
			data = resize(data, int64(from+chance.Intn(to-from+1))) // a torn tail
		}
	}
	return data
}
