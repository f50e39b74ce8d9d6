-- ARGV: epoch, offset, check of what was seen; then the offsets. How many of them are done: some at a time, because what was
-- beside them in the server's memory is moved too, and everybody else waits.
local room, why = load_room()
if not room then return { why } end
local seen = tonumber(ARGV[2])
local verdict = past(room, ARGV[1], seen, tonumber(ARGV[3]))
if verdict ~= 'mine' then return { verdict } end
for at = 4, #ARGV do
  if tonumber(ARGV[at]) > seen then return { 'lost' } end
end

local MOVES_MAX, moves = 512, 0

local function put_aside(offset, key, data, check)
  redis.call('HSET', KEYS[4], text(offset), check .. ' ' .. text(#key) .. '\n' .. key .. data)
end

-- The hash is what leads from one check to the next. See `vocabulary::tombstone` for the form.
local function tombstone(offset, check)
  local before = check_at(room, offset - 1)
  if not before then return nil end
  local hash = (tonumber(check) - (before * FACTOR) % PRIME) % PRIME
  local function byte(of) return math.floor(hash / of) % 256 end
  return string.char(0, byte(16777216), byte(65536), byte(256), byte(1))
end

local function nodes()
  local told = redis.call('XINFO', 'STREAM', KEYS[2])
  for at = 1, #told, 2 do
    if told[at] == 'radix-tree-keys' then return told[at + 1] end
  end
  error('the server does not tell of its streams')
end

-- Moves it out of the log: whether the piece of memory that it was in is free now, or another one is.
local function move(entry, data)
  local before, offset = nodes(), offset_of(entry)
  put_aside(offset, entry[2][2], data, entry[2][6])
  redis.call('XDEL', KEYS[2], entry[1])
  room.aside, moves = room.aside + 1, moves + 1
  return nodes() < before
end

-- What is deleted stays in its piece until all of the piece is. What is in front of it is moved until some piece is free: then
-- all in front of it in its own piece has been. What is behind it likewise: the first that is free then is its own, or was.
local function free_piece_of(offset)
  local front = { 'XREVRANGE', '-' }
  local back = { 'XRANGE', '+' }
  for _, way in ipairs({ front, back }) do
    local at, is_free = way == front and offset - 1 or offset + 1, false
    while not is_free do
      local some = redis.call(way[1], KEYS[2], text(math.max(at, 0)) .. '-0', way[2], 'COUNT', 16)
      if #some == 0 then break end
      for _, entry in ipairs(some) do
        is_free = move(entry, entry[2][4])
        at = offset_of(entry) + (way == front and -1 or 1)
        if is_free then break end
      end
    end
  end
end

local done = 0
for at = 4, #ARGV do
  local offset = tonumber(ARGV[at])
  if offset > room.base then
    local entry = redis.call('XRANGE', KEYS[2], text(offset) .. '-0', text(offset) .. '-0')[1]
    local beside = not entry and aside_at(offset)
    if not entry and not beside then return { 'damaged' } end
    local left = tombstone(offset, (entry or beside)[2][6])
    if not left then return { 'damaged' } end
    if beside then
      put_aside(offset, beside[2][2], left, beside[2][6])
      moves = moves + 1
    elseif not move(entry, left) then
      free_piece_of(offset)
    end
  end
  done = done + 1
  if moves >= MOVES_MAX then break end
end
if moves > 0 then redis.call('HSET', KEYS[1], 'aside', text(redis.call('HLEN', KEYS[4]))) end
return { 'done', text(done) }
