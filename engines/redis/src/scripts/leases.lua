-- Every look at the leases: counts the time, ends what is over, renews or begins. KEYS: 1 the leases, 2 those that ended
-- and must be cleaned up after, 3 the deployment's record. ARGV: look, attend or begin; the term in ms; who, as
-- node.shard.life; shards; PUBLISH or SPUBLISH; channel; how the news of an end begins; for how long cleaning is given to
-- one; the news that who attends does so, without the number of the lease.
local time = redis.call('TIME')
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = math.floor(micros / 1000)
local term = tonumber(ARGV[2])
local function text(number) return string.format('%.0f', number) end

local held, clock = {}, {}
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local name, value = all[at], all[at + 1]
  if string.sub(name, 1, 1) == '!' then
    clock[name] = tonumber(value)
  else
    local number, ends, shards = string.match(value, '^(%d+) (%d+) (%d+)$')
    held[name] = { number = number, ends = tonumber(ends), shards = shards }
  end
end

-- Time in which somebody looked. One look counts a quarter of a term at most: the rest was silence, in which nobody
-- could renew.
local passed = math.min(math.max(now - (clock['!looked'] or now), 0), math.floor(term / 4))
local observed = (clock['!observed'] or 0) + passed
-- Greater than any before it, also where this server knows less than the one before it did.
local stamp = math.max((clock['!stamp'] or 0) + 1, micros)
redis.call('HSET', KEYS[1], '!looked', text(now), '!observed', text(observed), '!stamp', text(stamp))

local function finish(name)
  local lease = held[name]
  held[name] = nil
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZADD', KEYS[2], now, lease.number)
  local node, shard, life = string.match(name, '^(%d+)%.(%d+)%.(%d+)$')
  redis.call(ARGV[5], ARGV[6], ARGV[7] .. node .. ' ' .. shard .. ' ' .. life .. ' ' .. lease.number .. '\n')
end

local over = {}
for name, lease in pairs(held) do
  if lease.ends <= observed then over[#over + 1] = name end
end
local me = ARGV[3]
if ARGV[1] == 'attend' then
  local shard, life = string.match(me, '^(%d+%.%d+%.)(%d+)$')
  for name in pairs(held) do
    local its_shard, its_life = string.match(name, '^(%d+%.%d+%.)(%d+)$')
    if its_shard == shard and tonumber(its_life) < tonumber(life) and held[name].ends > observed then
      over[#over + 1] = name
    end
  end
end
table.sort(over)
for _, name in ipairs(over) do finish(name) end

local function write(lease)
  redis.call('HSET', KEYS[1], me, lease.number .. ' ' .. text(lease.ends) .. ' ' .. lease.shards)
  held[me] = lease
end
if ARGV[1] == 'attend' then
  local number, before = held[me] and held[me].number or text(stamp), held[me] and held[me].shards
  write({ number = number, ends = observed + term, shards = ARGV[4] })
  if before ~= ARGV[4] then redis.call(ARGV[5], ARGV[6], ARGV[9] .. number .. '\n') end
elseif ARGV[1] == 'begin' and not held[me] then
  write({ number = text(stamp), ends = observed + term, shards = '0' })
end

local job = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1)[1]
if job then redis.call('ZADD', KEYS[2], now + tonumber(ARGV[8]), job) end

local answer = { redis.call('EXISTS', KEYS[3]), text(stamp), job or '' }
for name, lease in pairs(held) do
  answer[#answer + 1] = name
  answer[#answer + 1] = lease.number
  answer[#answer + 1] = lease.shards
end
return answer
