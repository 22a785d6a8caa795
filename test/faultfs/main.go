// Command faultfs [-share] [-ino N] MOUNTPOINT mounts a file system in memory that fails on command and forgets what was not flushed when
// the power is cut. Commands come as JSON, one a line, on stdin; each is answered with one line on stdout. It unmounts
// and ends with the end of stdin.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

type command struct {
	// reset, fault, clear, status, cutAt, cut, sync, put
	Op    string `json:"op"`
	Fault *fault `json:"fault"`
	At    int    `json:"at"`
	Mode  string `json:"mode"`
	Seed  int64  `json:"seed"`
	// put gives a file other bytes, behind the back of the kernel that mounted it: as another client of a share.
	Path string `json:"path"`
	Text string `json:"text"`
}

type answer struct {
	Error  string `json:"error,omitempty"`
	Ops    int    `json:"ops"`
	IsDead bool   `json:"isDead"`
	// Calls that hang now.
	Hanging int      `json:"hanging"`
	Failed  []string `json:"failed"`
}

type mounted struct {
	path string
	// The kernel asks anew each time, as of a share whose attributes are not cached.
	isShare  bool
	firstIno uint64
	world    *world
	server   *fuse.Server
}

// mount shows a disk at the mount point, with no faults.
func (m *mounted) mount(d *disk) error {
	m.unmount()
	m.world = &world{disk: d, faults: newFaults()}
	long := time.Hour
	if m.isShare {
		long = 0
	}
	server, err := fs.Mount(m.path, &node{world: m.world, ino: rootIno}, &fs.Options{
		EntryTimeout:   &long,
		AttrTimeout:    &long,
		RootStableAttr: &fs.StableAttr{Mode: syscall.S_IFDIR, Ino: rootIno},
		MountOptions: fuse.MountOptions{
			AllowOther: true, DirectMount: true, FsName: "faultfs", Name: "faultfs", MaxWrite: 1 << 20,
		},
	})
	m.server = server
	return err
}

// unmount is lazy: whoever still holds a file open gets errors from it.
func (m *mounted) unmount() {
	if m.server == nil {
		return
	}
	m.world.faults.Lock()
	m.world.faults.isDead = true
	m.world.faults.Unlock()
	_ = syscall.Unmount(m.path, syscall.MNT_DETACH)
	m.server = nil
}

func (m *mounted) do(c command) error {
	switch c.Op {
	case "reset":
		return m.mount(newDisk(m.firstIno))
	case "fault":
		return m.world.faults.add(c.Fault)
	case "clear":
		m.world.faults.clear()
	case "cutAt":
		m.world.faults.Lock()
		defer m.world.faults.Unlock()
		m.world.faults.cutAt, m.world.faults.ops = c.At, 0
	case "sync":
		m.world.Lock()
		defer m.world.Unlock()
		for _, n := range m.world.disk.inodes {
			m.world.disk.fsync(n)
		}
	case "put":
		m.world.Lock()
		defer m.world.Unlock()
		found := m.world.disk.find(c.Path)
		if found == nil {
			return fmt.Errorf("there is no %q", c.Path)
		}
		found.truncate(0)
		found.write([]byte(c.Text), 0)
		found.mtime = time.Now()
		found.ctime = found.mtime
	case "cut":
		m.world.faults.Lock()
		m.world.faults.isDead = true
		m.world.faults.Unlock()
		m.world.Lock()
		after := m.world.disk.cut(c.Mode, rand.New(rand.NewSource(c.Seed)))
		m.world.Unlock()
		return m.mount(after)
	case "status":
	default:
		return fmt.Errorf("unknown command %q", c.Op)
	}
	return nil
}

func main() {
	m := &mounted{}
	flag.BoolVar(&m.isShare, "share", false, "")
	flag.Uint64Var(&m.firstIno, "ino", 0, "")
	flag.Parse()
	m.path = flag.Arg(0)
	if err := m.mount(newDisk(m.firstIno)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer m.unmount()
	out := json.NewEncoder(os.Stdout)
	_ = out.Encode(answer{Failed: []string{}})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var c command
		err := json.Unmarshal(lines.Bytes(), &c)
		if err == nil {
			err = m.do(c)
		}
		m.world.faults.Lock()
		said := answer{Ops: m.world.faults.ops, IsDead: m.world.faults.isDead, Hanging: m.world.faults.hanging, Failed: append([]string{}, m.world.faults.failed...)}
		m.world.faults.Unlock()
		if err != nil {
			said.Error = err.Error()
		}
		_ = out.Encode(said)
	}
}
