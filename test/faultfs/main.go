// Command faultfs MOUNTPOINT mounts a file system in memory that fails on command and forgets what was not flushed when
// the power is cut. Commands come as JSON, one a line, on stdin; each is answered with one line on stdout. It unmounts
// and ends with the end of stdin.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

type command struct {
	// reset, fault, clear, status, cutAt, cut, sync
	Op    string `json:"op"`
	Fault *fault `json:"fault"`
	At    int    `json:"at"`
	Mode  string `json:"mode"`
	Seed  int64  `json:"seed"`
}

type answer struct {
	Error  string   `json:"error,omitempty"`
	Ops    int      `json:"ops"`
	IsDead bool     `json:"isDead"`
	Failed []string `json:"failed"`
}

type mounted struct {
	path   string
	world  *world
	server *fuse.Server
}

// mount shows a disk at the mount point, with no faults.
func (m *mounted) mount(d *disk) error {
	m.unmount()
	m.world = &world{disk: d, faults: &faults{}}
	long := time.Hour
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
		return m.mount(newDisk())
	case "fault":
		return m.world.faults.add(c.Fault)
	case "clear":
		m.world.faults.Lock()
		defer m.world.faults.Unlock()
		m.world.faults.list, m.world.faults.failed = nil, nil
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
	m := &mounted{path: os.Args[1]}
	if err := m.mount(newDisk()); err != nil {
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
		said := answer{Ops: m.world.faults.ops, IsDead: m.world.faults.isDead, Failed: append([]string{}, m.world.faults.failed...)}
		m.world.faults.Unlock()
		if err != nil {
			said.Error = err.Error()
		}
		_ = out.Encode(said)
	}
}
