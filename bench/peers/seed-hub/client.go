package main

import (
	"encoding/json"
	"maps"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	writeWait       = 10 * time.Second
	pongWait        = 60 * time.Second
	pingPeriod      = pongWait * 9 / 10
	messageBytesMax = 4096
)

type client struct {
	id, name string
	hub      *hub
	conn     *websocket.Conn
	queue    chan []byte

	mu    sync.RWMutex
	rooms map[string]bool
}

func (c *client) readPump() {
	defer func() {
		c.hub.unregister <- c
		c.conn.Close()
	}()
	c.conn.SetReadLimit(messageBytesMax)
	c.conn.SetReadDeadline(time.Now().Add(pongWait))
	c.conn.SetPongHandler(func(string) error {
		return c.conn.SetReadDeadline(time.Now().Add(pongWait))
	})
	for {
		_, text, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		var message envelope
		if json.Unmarshal(text, &message) != nil {
			c.fail("INVALID_FORMAT", "invalid message format")
			continue
		}
		message.Sender = &sender{c.id, c.name}
		message.Timestamp = time.Now()
		c.hub.handle(c, &message)
	}
}

func (c *client) writePump() {
	ticker := time.NewTicker(pingPeriod)
	defer func() {
		ticker.Stop()
		c.conn.Close()
	}()
	for {
		select {
		case text := <-c.queue:
			c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			w, err := c.conn.NextWriter(websocket.TextMessage)
			if err != nil {
				return
			}
			w.Write(text)
			for range len(c.queue) {
				w.Write([]byte("\n"))
				w.Write(<-c.queue)
			}
			if w.Close() != nil {
				return
			}
		case <-ticker.C:
			c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			if c.conn.WriteMessage(websocket.PingMessage, nil) != nil {
				return
			}
		}
	}
}

func (c *client) trySend(text []byte) {
	select {
	case c.queue <- text:
	default:
	}
}

func (c *client) fail(code, words string) {
	payload, _ := json.Marshal(map[string]string{"code": code, "message": words})
	text, _ := json.Marshal(&envelope{Type: "error", Payload: payload, Timestamp: time.Now()})
	c.trySend(text)
}

func (c *client) enter(name string) {
	c.mu.Lock()
	c.rooms[name] = true
	c.mu.Unlock()
}

func (c *client) isIn(name string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.rooms[name]
}

func (c *client) joined() map[string]bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return maps.Clone(c.rooms)
}
