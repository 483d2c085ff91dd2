package kvcache

import "sort"

// maxMarks bounds the marks: 16 KiB.
const maxMarks = 1 << 11

// marks tell when places of the recency list were taken. Places and times rise together, so a few of them tell the time of every
// place, to within the time between two marks.
type marks struct {
	all  []mark
	step uint32 // ticks between two marks, at least
}

type mark struct{ place, tick uint32 }

// put notes that a place was taken at a time. When full, every other mark goes.
func (m *marks) put(place, tick uint32) {
	n := len(m.all)
	if n > 0 && tick-m.all[n-1].tick <= m.step {
		return
	}
	if n == maxMarks {
		for i := range n / 2 {
			m.all[i] = m.all[2*i]
		}
		m.all = m.all[:n/2]
		m.step = 2*m.step + 1
	}
	m.all = append(m.all, mark{place, tick})
}

// move gives the marks the new places of a list that closed its holes, and drops those whose places are all gone.
func (m *marks) move(place func(uint32) uint32) {
	kept := m.all[:0]
	for _, k := range m.all {
		k.place = max(1, place(k.place)) // 0 when the list holds nothing as old
		if n := len(kept); n > 0 && kept[n-1].place == k.place {
			kept[n-1] = k
		} else {
			kept = append(kept, k)
		}
	}
	if m.all = kept; len(kept) < maxMarks/4 {
		m.step /= 2
	}
}

// reader looks up one place after another; most of them lie close together. next is the place that will be taken next, now the time.
func (m *marks) reader(next, now uint32) markReader {
	return markReader{of: m, end: mark{next, now}, a: mark{place: 1}}
}

// markReader holds two marks and tells the times of the places between them.
type markReader struct {
	of        *marks
	end, a, b mark
}

// at is the time at which a place was taken, in proportion between two marks, or that of the first mark if it is older.
func (r *markReader) at(place uint32) uint32 {
	if place < r.a.place || place >= r.b.place {
		r.seek(place)
	}
	if place <= r.a.place || r.b.place <= r.a.place {
		return r.a.tick
	}
	part := float64(place-r.a.place) / float64(r.b.place-r.a.place)
	return r.a.tick + uint32(part*float64(r.b.tick-r.a.tick))
}

func (r *markReader) seek(place uint32) {
	all := r.of.all
	if len(all) == 0 {
		r.a, r.b = r.end, r.end
		return
	}
	i := max(1, sort.Search(len(all), func(i int) bool { return all[i].place > place }))
	r.a, r.b = all[i-1], r.end
	if i < len(all) {
		r.b = all[i]
	}
}
