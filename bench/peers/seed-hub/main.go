// The hub pattern of the usual Go chat tutorial, as a peer to measure against: register and unregister channels, two
// pumps and a queue of 256 a client, a JSON envelope, frames that hold several texts joined by a line end when the queue
// has grown. The token check is left out: the `user` of the query is the identity.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/gorilla/websocket"
)

var upgrader = websocket.Upgrader{
	ReadBufferSize:  1024,
	WriteBufferSize: 1024,
	CheckOrigin:     func(*http.Request) bool { return true },
}

func main() {
	hub := newHub()
	go hub.run()
	http.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		user := r.URL.Query().Get("user")
		client := &client{id: user, name: user, hub: hub, conn: conn, queue: make(chan []byte, 256), rooms: map[string]bool{}}
		hub.register <- client
		go client.writePump()
		go client.readPump()
	})
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ready, _ := json.Marshal(map[string]string{
		"listening": "http://" + listener.Addr().String(),
		"version":   "gorilla/websocket 1.5.3, " + runtime.Version(),
	})
	fmt.Println(string(ready))
	_ = (&http.Server{ReadHeaderTimeout: 10 * time.Second}).Serve(listener)
}
