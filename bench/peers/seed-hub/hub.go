package main

import (
	"encoding/json"
	"sync"
	"time"
)

type sender struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type envelope struct {
	Type      string          `json:"type"`
	Room      string          `json:"room,omitempty"`
	Payload   json.RawMessage `json:"payload,omitempty"`
	Sender    *sender         `json:"sender,omitempty"`
	Timestamp time.Time       `json:"timestamp"`
	ID        string          `json:"id,omitempty"`
}

type room struct {
	mu      sync.RWMutex
	members map[string]*client
}

// send puts the text into every member's queue but one's; a full queue loses it, as in the pattern.
func (r *room) send(text []byte, except string) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for id, member := range r.members {
		if id == except {
			continue
		}
		select {
		case member.queue <- text:
		default:
		}
	}
}

func (r *room) list() []sender {
	r.mu.RLock()
	defer r.mu.RUnlock()
	users := make([]sender, 0, len(r.members))
	for _, member := range r.members {
		users = append(users, sender{member.id, member.name})
	}
	return users
}

type hub struct {
	register, unregister chan *client

	mu      sync.RWMutex
	clients map[string]*client
	rooms   map[string]*room
}

func newHub() *hub {
	return &hub{
		register:   make(chan *client),
		unregister: make(chan *client),
		clients:    map[string]*client{},
		rooms:      map[string]*room{},
	}
}

func (h *hub) run() {
	for {
		select {
		case c := <-h.register:
			h.mu.Lock()
			h.clients[c.id] = c
			h.mu.Unlock()
		case c := <-h.unregister:
			h.mu.Lock()
			if h.clients[c.id] == c {
				delete(h.clients, c.id)
			}
			h.mu.Unlock()
			for name := range c.joined() {
				h.leave(c, name)
			}
		}
	}
}

func (h *hub) handle(c *client, message *envelope) {
	switch message.Type {
	case "join_room":
		var payload struct {
			RoomID string `json:"room_id"`
		}
		if json.Unmarshal(message.Payload, &payload) != nil {
			c.fail("INVALID_PAYLOAD", "invalid room payload")
			return
		}
		h.join(c, payload.RoomID)
	case "send_message":
		if !c.isIn(message.Room) {
			c.fail("NOT_IN_ROOM", "you must join the room first")
			return
		}
		h.broadcast(message.Room, &envelope{
			Type: "new_message", Room: message.Room, Payload: message.Payload,
			Sender: message.Sender, Timestamp: message.Timestamp,
		}, c.id)
		text, _ := json.Marshal(&envelope{Type: "ack", ID: message.ID})
		c.trySend(text)
	default:
		c.fail("UNKNOWN_TYPE", "unknown message type: "+message.Type)
	}
}

func (h *hub) broadcast(name string, message *envelope, except string) {
	h.mu.RLock()
	r := h.rooms[name]
	h.mu.RUnlock()
	if r == nil {
		return
	}
	text, err := json.Marshal(message)
	if err != nil {
		return
	}
	r.send(text, except)
}

func (h *hub) join(c *client, name string) {
	h.mu.Lock()
	r := h.rooms[name]
	if r == nil {
		r = &room{members: map[string]*client{}}
		h.rooms[name] = r
	}
	h.mu.Unlock()
	r.mu.Lock()
	r.members[c.id] = c
	r.mu.Unlock()
	c.enter(name)

	who, _ := json.Marshal(sender{c.id, c.name})
	h.broadcast(name, &envelope{Type: "user_joined", Room: name, Payload: who, Timestamp: time.Now()}, c.id)

	users := r.list()
	payload, _ := json.Marshal(map[string]any{"room_id": name, "users": users, "count": len(users)})
	text, _ := json.Marshal(&envelope{Type: "room_info", Payload: payload, Timestamp: time.Now()})
	c.queue <- text
}

func (h *hub) leave(c *client, name string) {
	h.mu.Lock()
	r := h.rooms[name]
	if r == nil {
		h.mu.Unlock()
		return
	}
	r.mu.Lock()
	delete(r.members, c.id)
	empty := len(r.members) == 0
	r.mu.Unlock()
	if empty {
		delete(h.rooms, name)
	}
	h.mu.Unlock()
	who, _ := json.Marshal(sender{c.id, c.name})
	h.broadcast(name, &envelope{Type: "user_left", Room: name, Payload: who, Timestamp: time.Now()}, "")
}
