"""placeholder"""
def routes(sandbox): return []
