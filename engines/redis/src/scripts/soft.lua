-- KEYS: 1 the values, 2 when each ends. ARGV: key, stamp, 1 where it is an end, how long it lives in ms, class, value,
-- PUBLISH or SPUBLISH, channel, news.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- Ended ones go a few at a time, more than one publication brings.
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 16)) do
  redis.call('HDEL', KEYS[1], key)
  redis.call('ZREM', KEYS[2], key)
end
local at, ended = tonumber(ARGV[2]), tonumber(ARGV[3])
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held then
  local old_at, old_ended, old_ends = string.match(held, '^(%-?%d+) (%d) (%d+) ')
  old_at, old_ended = tonumber(old_at), tonumber(old_ended)
  if tonumber(old_ends) > now and (old_at > at or (old_at == at and old_ended > ended)) then return { 'older' } end
end
local ends = now + tonumber(ARGV[4])
redis.call('HSET', KEYS[1], ARGV[1],
  ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. string.format('%.0f', ends) .. ' ' .. ARGV[5] .. '\n' .. ARGV[6])
redis.call('ZADD', KEYS[2], ends, ARGV[1])
local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, string.format('%.0f', tonumber(last))) end
redis.call(ARGV[7], ARGV[8], ARGV[9])
return { 'newest' }
