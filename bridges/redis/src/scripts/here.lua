-- KEYS: until when each user is taken for online. ARGV: the node, how the keys of users' nodes begin, for how many
-- milliseconds it holds, and the users.
local time = redis.call('TIME')
local now, lives = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[3])
for i = 4, #ARGV do
  local user = ARGV[i]
  local nodes, status = ARGV[2] .. user, 'user:' .. user .. ':status'
  redis.call('ZADD', nodes, now + lives, ARGV[1])
  redis.call('PEXPIRE', nodes, lives)
  redis.call('ZADD', KEYS[1], now + lives, user)
  redis.call('SADD', 'online_users', user)
  redis.call('HSET', status, 'status', 'online', 'last_seen', time[1], 'updated_at', time[1])
  redis.call('PEXPIRE', status, lives)
end
redis.call('PEXPIRE', KEYS[1], 2 * lives)
redis.call('PEXPIRE', 'online_users', lives)
return #ARGV - 3
