package check

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// What has to be free. A state is some kilobytes for each guest; a full history
// is 16 MiB.
const (
	stateNeeds   = 2 << 20
	historyNeeds = 16 << 20
	filesNeeded  = 16
)

// checkSpace tells whether state and history can be written.
func checkSpace(o Options) []Finding {
	all := []Finding{checkFree(o.StateDir, "the announced state", stateNeeds, Problem)}
	if o.HistoryDir != "" {
		// A history that cannot be written costs no call.
		all = append(all, checkFree(o.HistoryDir, "the history of runs", historyNeeds, Warning))
	}
	return all
}

func checkFree(dir, what string, needs uint64, level Level) Finding {
	at := existing(dir)
	var fs unix.Statfs_t
	if err := unix.Statfs(at, &fs); err != nil {
		return warning(Space, dir, fmt.Sprintf("the space for %s cannot be told: %v", what, err), "df -h "+word(at))
	}
	free := fs.Bavail * uint64(fs.Bsize)
	mount := mountOf(at)
	text := fmt.Sprintf("%s free for %s in %s", size(free), what, dir)
	switch {
	case free < needs:
		return Finding{ID: Space, Level: level, Subject: dir, Text: fmt.Sprintf("only %s, %s are needed", text, size(needs)),
			Remedy: makeRoom(mount, fs, needs-free)}
	case fs.Files > 0 && fs.Ffree < filesNeeded:
		return Finding{ID: Space, Level: level, Subject: dir, Text: fmt.Sprintf("only %d more files can be made for %s in %s", fs.Ffree, what, dir),
			Remedy: makeFiles(mount, fs)}
	}
	return ok(Space, dir, text)
}

// makeRoom says how a file system gets more space. One in memory can be made
// larger at any time.
func makeRoom(mount string, fs unix.Statfs_t, more uint64) string {
	if fs.Type == unix.TMPFS_MAGIC {
		total := fs.Blocks*uint64(fs.Bsize) + more
		return fmt.Sprintf("mount -o remount,size=%dM %s", total>>20+8, word(mount))
	}
	return fmt.Sprintf("Delete what is not needed; what is large: du -xhd2 %s | sort -h | tail", word(mount))
}

func makeFiles(mount string, fs unix.Statfs_t) string {
	if fs.Type == unix.TMPFS_MAGIC {
		return fmt.Sprintf("mount -o remount,nr_inodes=%d %s", fs.Files+1024, word(mount))
	}
	return "Delete files that are not needed; where there are many: du --inodes -xd2 " + word(mount) + " | sort -n | tail"
}

func size(bytes uint64) string {
	switch {
	case bytes >= 10<<30:
		return fmt.Sprintf("%d GiB", bytes>>30)
	case bytes >= 1<<20:
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}
